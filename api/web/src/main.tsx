import { render } from "preact";

import { App } from "./parts/app";
import { language } from "./words";

document.documentElement.lang = language;
const root = document.getElementById("app");
if (root) render(<App />, root);
