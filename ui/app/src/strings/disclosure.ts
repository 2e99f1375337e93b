/** The words around a disclosure; the disclosure itself comes from the server, in its own language. */

export const disclosureStrings = {
  disclosure: {
    label: "About this assistant",
    sending: "By sending a message you confirm that you have read this.",
    changed: "This has changed since you last saw it.",
    again: "This is a reminder.",
    cardTitle: "Please read the note above the box first",
    cardText: "Your message is kept. Send it when you have read the note.",
    send: "I have read it, send",
    receipt: "When you were told",
    receiptTitle: "When you were told",
    shownAt: (at: string) => `Shown to you on ${at}`,
    noReceipt: "Nothing is recorded yet: it is written when you send your first message.",
    receiptsFailed: "The receipts could not be loaded. Try again later.",
  },
} as const;
