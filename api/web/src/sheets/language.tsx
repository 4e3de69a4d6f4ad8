// The language of the page: to choose among all, or to change to the other one.

import { language, t, type Language } from "../words";

const LANGUAGES: [Language, string][] = [
  ["zh", "中文"],
  ["en", "English"],
];

export function LanguageChips() {
  return (
    <fieldset class="chips" data-testid="language">
      <legend>{t("language")}</legend>
      {LANGUAGES.map(([key, name]) => (
        <label key={key} lang={key}>
          <input type="radio" name="language" checked={language.value === key} onChange={() => (language.value = key)} />
          <span>{name}</span>
        </label>
      ))}
    </fieldset>
  );
}

/** For who can't read the one that is shown. */
export function LanguageSwitch() {
  const other = LANGUAGES.find(([key]) => key !== language.value);
  if (!other) return null;
  const [key, name] = other;
  return (
    <button type="button" class="button wide text" lang={key} onClick={() => (language.value = key)}>
      {name}
    </button>
  );
}
