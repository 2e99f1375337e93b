/** The words for what goes wrong, and what to do then. */

export const errorStrings = {
  connection: {
    reconnecting: "Reconnecting…",
    lost: "The connection is lost. The answer goes on without it.",
    reconnect: "Reconnect",
    offline: "You are offline. Nothing you typed is lost.",
  },

  stopping: {
    pending:
      "Stopping takes longer than usual. Your stop is kept: the answer ends as soon as the server that writes it hears of it, or is found to be gone. You need not wait for it, and what was said so far is kept.",
    failed: "The stop did not reach the server, so the answer goes on.",
    again: "Stop again",
  },

  errors: {
    title: "This answer failed",
    sendTitle: "Your message was not sent",
    takeBack: "Put it back in the box",
    reference: "Reference",
    code: "Code",
    signInTitle: "You are signed out",
    signIn: "Open this page again from the product you came from. Your conversations are kept.",
    reload: "Reload",
    startTitle: "Parlour cannot be reached",
    start: "The server does not answer. Check that it is running, then try again.",
    /** What to do, by error code; what happened is said by the server. */
    advice: {
      network: "The server cannot be reached. Check your connection and try again.",
      too_long: "Shorten the message and send it again.",
      forbidden: "Ask the people who run this product for access.",
      unauthenticated: "Open this page again from the product you came from.",
      stop_pending: "The answer ends by itself soon. What was said so far is kept.",
      turn_in_progress: "Wait for the running answer or stop it, then try again.",
      limits_unavailable: "Wait a moment, then try again. What was said before can be read.",
      overloaded: "Wait a moment, then try again.",
      shutting_down: "The server is restarting. Try again in a few seconds.",
      store_unavailable: "Wait a moment, then try again.",
      upstream_failed: "Try again. If it stays like this, the provider of the model has a problem.",
      turn_lost: "What was said so far is kept. Try again.",
      internal:
        "Something broke on our side. Try again; if it stays like this, pass on the reference.",
      other: "Try again. If it stays like this, pass on the reference.",
      final: "Trying again will not help. Change the message, or pass on the reference.",
    } as Record<string, string>,
    withFile: "Some of the page could not be loaded. Reload to get the new version.",
  },
} as const;
