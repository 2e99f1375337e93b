/** Browser storage that may be missing, full or forbidden; losing it never breaks the page. */

export function read(key: string): string | null {
  try {
    return localStorage.getItem(`parlour.${key}`);
  } catch {
    return null;
  }
}

export function write(key: string, value: string | null): void {
  try {
    if (value === null || value === "") localStorage.removeItem(`parlour.${key}`);
    else localStorage.setItem(`parlour.${key}`, value);
  } catch {
    // Private windows and full disks: the page works without memory.
  }
}
