// A labelled text with its rule, how much of it there is room for, and what is wrong with it. Nothing is cut off.

import { useId, useState } from "preact/hooks";

import { characters, t } from "../words";
import { Icon } from "./icon";

interface Props {
  label: string;
  value: string;
  onValue: (value: string) => void;
  testid?: string;
  hint?: string | undefined;
  problem?: string | undefined;
  isPassword?: boolean;
  autocomplete?: "username" | "current-password" | "new-password";
  hasFocus?: boolean;
}

export function Field({ label, value, onValue, testid, hint, problem, isPassword = false, autocomplete, hasFocus = false }: Props) {
  const id = useId();
  const [isShown, setIsShown] = useState(false);
  const says = problem ?? hint;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <div class="input">
        <input
          id={id}
          data-testid={testid}
          // The types of Preact know one kind of input at a time.
          type={(isPassword && !isShown ? "password" : "text") as "text"}
          autocomplete={autocomplete ?? "off"}
          autocapitalize="none"
          spellcheck={false}
          autofocus={hasFocus}
          value={value}
          aria-invalid={problem !== undefined}
          aria-describedby={says ? `${id}-says` : undefined}
          onInput={(event) => onValue(event.currentTarget.value)}
        />
        {isPassword && (
          <button
            type="button"
            class="round"
            aria-label={t(isShown ? "hidePassword" : "showPassword")}
            aria-pressed={isShown}
            onClick={() => setIsShown(!isShown)}
          >
            <Icon name={isShown ? "eyeOff" : "eye"} />
          </button>
        )}
      </div>
      {says && (
        <p key={problem ? "problem" : "hint"} id={`${id}-says`} class={problem ? "says problem" : "says"} role={problem ? "alert" : undefined}>
          {says}
        </p>
      )}
    </div>
  );
}

/** How long a text may be, in characters. It counts once it matters. */
export function Counter({ text, max, always = false }: { text: string; max: number; always?: boolean }) {
  const length = characters(text.trim());
  if (!always && length < max * 0.8) return null;
  return (
    <span class={length > max ? "counter problem" : "counter"} role={length > max ? "alert" : undefined}>
      <span aria-hidden="true">
        {length}/{max}
      </span>
      <span class="unseen">{t("counter", length, max)}</span>
    </span>
  );
}
