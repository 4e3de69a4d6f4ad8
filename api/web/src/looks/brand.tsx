// The mark, a sound that is a play button, and the word.

import { t } from "../words";

export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect x="6" y="4" width="4.5" height="24" rx="2.25" />
      <rect x="12.5" y="7.5" width="4.5" height="17" rx="2.25" />
      <rect x="19" y="11" width="4.5" height="10" rx="2.25" />
      <circle cx="27.25" cy="16" r="2.25" />
    </svg>
  );
}

export function Brand() {
  return (
    <span class="brand">
      <Mark />
      <span>{t("brand")}</span>
    </span>
  );
}
