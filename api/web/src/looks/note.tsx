// A screen, or a part of one, that has nothing to show but words: why, and what to do.

import type { ComponentChildren } from "preact";

import type { ApiError } from "../api/errors";
import { online } from "../model/connection";
import { t } from "../words";
import { Icon, type IconName } from "./icon";

interface Props {
  icon: IconName;
  title: string;
  hint?: string;
  testid?: string;
  /** It is all that the screen has. */
  isScreen?: boolean;
  children?: ComponentChildren;
}

export function Note({ icon, title, hint, testid, isScreen = false, children }: Props) {
  return (
    <div class="note" data-testid={testid}>
      <Icon name={icon} />
      {isScreen ? <h1>{title}</h1> : <h2>{title}</h2>}
      {hint && <p>{hint}</p>}
      {children}
    </div>
  );
}

export function Failed({ failure, onRetry }: { failure: ApiError; onRetry: () => void }) {
  return (
    <div class="note" role="alert">
      <Icon name="alert" />
      <h2 data-testid="failure">{failure.message}</h2>
      {failure.isUnreachable && online.value && <p>{t("tryingAgain")}</p>}
      <button type="button" class="button" onClick={onRetry}>
        {t("again")}
      </button>
    </div>
  );
}

export function Spinner({ label = t("loading") }: { label?: string }) {
  return <span class="spinner" role="status" aria-label={label} />;
}
