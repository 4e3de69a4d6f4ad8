// The headless Chromium of the tests.

import { chromium } from "playwright-core";

export const launch = () =>
  chromium.launch({
    executablePath: new URL("chromium.sh", import.meta.url).pathname,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--autoplay-policy=document-user-activation-required",
    ],
  });
