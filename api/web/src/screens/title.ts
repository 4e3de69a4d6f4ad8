// The title of the window.

import { useEffect } from "preact/hooks";

import { t } from "../words";

export function useTitle(of?: string): void {
  const title = of ? `${of} - ${t("brand")}` : t("brand");
  useEffect(() => {
    document.title = title;
  }, [title]);
}
