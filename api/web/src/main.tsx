// Starts the page: renders the app and the toasts, and keeps the language of the document.

import { effect } from "@preact/signals";
import { render } from "preact";

import { App } from "./app";
import { Toasts } from "./toasts";
import { locale } from "./words";

effect(() => {
  document.documentElement.lang = locale();
});
const root = document.getElementById("app");
if (root) render(<App />, root);
const layer = document.body.appendChild(document.createElement("div"));
render(<Toasts root={layer} />, layer);
