// Uploads that are refused, in headless Chromium: by fetch, and by the page as a person uses it. Started by
// api/tests/e2e/refusals with the cases in CASES; prints those that don't end as they should.

import { launch } from "./chromium.mjs";

const PHONE = { width: 390, height: 844 };
/** For an upload over a slow link, on a busy machine. */
const LIMIT = 90_000;

const browser = await launch();

/** What a script sees of the answer. */
async function byFetch(page, { bearer, fields, begin, size }) {
  return page.evaluate(
    async ([bearer, fields, begin, size]) => {
      const form = new FormData();
      for (const [name, text] of fields) form.append(name, text);
      const first = Uint8Array.from(begin);
      form.append("data", new File([first, new Uint8Array(size - first.length)], "film"));
      const headers = bearer ? { Authorization: `Bearer ${bearer}` } : {};
      const response = await fetch("/douyin/publish/action/", { method: "POST", headers, body: form });
      return { http: response.status, code: (await response.json()).status_code };
    },
    [bearer, fields, begin, size],
  );
}

/** What a person sees of it. */
async function byPage(page, { file, title }) {
  const by = (id) => page.getByTestId(id);
  await by("publish-open").click();
  await by("publish-file").setInputFiles(file);
  await by("publish-title").fill("A film");
  // A page may be older than the rules: what it sends isn't what it would let through.
  await page.evaluate((title) => {
    const append = FormData.prototype.append;
    FormData.prototype.append = function (name, ...given) {
      append.call(this, name, ...(name === "title" ? [title] : given));
    };
  }, title);
  const isUpload = (message) => message.url().includes("/publish/action/");
  const answered = page.waitForResponse(isUpload, { timeout: LIMIT });
  const failed = page.waitForEvent("requestfailed", { predicate: isUpload, timeout: LIMIT }).then(
    (request) => Promise.reject(new Error(request.failure()?.errorText)),
    () => {},
  );
  await by("publish-submit").click();
  const response = await Promise.race([answered, failed]);
  const words = await by("toast").first().innerText();
  if (/No connection|offline/.test(words)) throw new Error(words);
  return { http: response.status(), code: (await response.json()).status_code };
}

async function run(test) {
  const context = await browser.newContext({ viewport: PHONE, locale: "en-US" });
  try {
    // As somebody whose login was good when the page was loaded last.
    const session = { userId: 1, name: "somebody", token: test.bearer };
    if (test.how === "page") {
      await context.addInitScript((session) => localStorage.setItem("dousheng-session", session), JSON.stringify(session));
    }
    const page = await context.newPage();
    page.setDefaultTimeout(LIMIT);
    await page.goto(test.base);
    const { http, code } = await (test.how === "page" ? byPage : byFetch)(page, test);
    return http === test.http && code === test.code ? [] : [`${test.name}: HTTP ${http}, status_code ${code}`];
  } catch (error) {
    return [`${test.name}: ${error}`];
  } finally {
    await context.close();
  }
}

/** The cases of each group one after the other, the groups at the same time. */
const groups = JSON.parse(process.env.CASES);
const failures = await Promise.all(
  groups.map(async (tests) => {
    const failed = [];
    for (const test of tests) failed.push(...(await run(test)));
    return failed;
  }),
);
await browser.close();
for (const failure of failures.flat()) console.log(failure);
