/** Where menus and hints are drawn: inside the top dialog when there is one, else in the page. */
import { createContext, useContext } from "react";

export const PortalContext = createContext<HTMLElement | null>(null);
export const usePortal = () => useContext(PortalContext);
