import { defineConfig } from "vite";

// The API in development; its page is served by the API itself.
const api = process.env["DOUSHENG_API"] ?? "http://127.0.0.1:8080";

export default defineConfig({
  build: {
    target: "es2022",
    // From here on browsers know light-dark(); rewritten for older ones, a dark part of a light page would be light.
    cssTarget: ["chrome123", "firefox128", "safari17.5"],
    // Nothing in the page itself: its policy forbids inline code.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/douyin": api, "/openapi.json": api } },
});
