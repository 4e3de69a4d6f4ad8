// What is said to people is in their words, in whichever room it is said.

/** In each window: a text that says something went wrong has no word in it that only a programmer knows, or this is an error of the page. */
export function wordsAreForPeople() {
  const WRONG = /\bdata:|make |\b[45]\d\d\b(?! characters)/;
  new MutationObserver(() => {
    for (const one of document.querySelectorAll("[role=alert], [data-testid=toast], [data-testid=failure]")) {
      const text = one.innerText ?? "";
      if (one.dataset.wrong === text || !WRONG.test(text)) continue;
      one.dataset.wrong = text;
      setTimeout(() => {
        throw new Error(`no words for people: ${text}`);
      });
    }
  }).observe(document, { subtree: true, childList: true, characterData: true });
}
