// The form of a video: it fills a telephone, and where there is room what belongs to it stands beside it.

import assert from "node:assert/strict";

import { active, arrives, by, cutOff, DESKTOP, eventually, isAccessible, open, PHONE, picture, plays } from "./page.mjs";

/** Where the parts of the video that one sees are, and how they look. */
const look = (page) =>
  active(page).evaluate((card) => {
    const box = (element) => {
      const { left, top, right, bottom, width, height } = element.getBoundingClientRect();
      return { left, top, right, bottom, width, height };
    };
    const [video, frame, backdrop] = ["video", ".frame", ".backdrop"].map((name) => card.querySelector(name));
    return {
      fit: getComputedStyle(video).objectFit,
      blur: getComputedStyle(backdrop).filter,
      isBehind: Boolean(backdrop.compareDocumentPosition(video) & Node.DOCUMENT_POSITION_FOLLOWING),
      hasPicture: backdrop.complete && backdrop.naturalWidth > 0,
      ratio: video.videoWidth / video.videoHeight,
      radius: Number.parseFloat(getComputedStyle(frame).borderRadius),
      isCut: getComputedStyle(frame).overflow,
      card: box(card),
      video: box(video),
      backdrop: box(backdrop),
      frame: box(frame),
      actions: box(card.querySelector(".actions")),
    };
  });

/** The frame has the form of the film, to 1 %, with round corners; what one can do stands to the right of it. */
async function standsInItsOwnForm(page, ratio) {
  const { frame, video, card, ...seen } = await look(page);
  assert(Math.abs(seen.ratio / ratio - 1) < 0.01, `a film of ${seen.ratio}`);
  assert(Math.abs(frame.width / frame.height / ratio - 1) < 0.01, `a frame of ${frame.width} × ${frame.height}`);
  assert.deepEqual(video, frame);
  assert(seen.radius >= 8 && seen.isCut === "hidden", "round corners");
  assert(seen.actions.left >= frame.right, "the actions stand beside it");
  assert(frame.left >= card.left && seen.actions.right <= card.right && frame.bottom <= card.bottom, "all of it is seen");
  assert(frame.height > 0.9 * card.height || frame.width > 0.7 * card.width, "it takes the room that is there");
}

export async function anUprightFilmFillsATelephoneAndStandsOnADesktop(browser) {
  const phone = await open(browser, PHONE);
  await phone.page.goto("/");
  await plays(phone.page);
  const { fit, video } = await look(phone.page);
  assert.equal(fit, "cover");
  const menu = await phone.page.locator(".menu-bar").boundingBox();
  assert.deepEqual([video.left, video.top, video.right, video.bottom], [0, 0, PHONE.viewport.width, menu.y], "all above the menu");
  await phone.close();

  const { page, close } = await open(browser, DESKTOP);
  await page.goto("/");
  await plays(page);
  await standsInItsOwnForm(page, 180 / 320);
  const mark = await page.locator(".menu-brand svg").boundingBox();
  assert(mark.width > 16 && mark.height > 16 && mark.x + mark.width < (await look(page)).frame.left, "the brand at the side");
  await close();
}

export async function aFilmOnItsSideIsSeenWhole(browser, films) {
  const phone = await open(browser, PHONE);
  await phone.page.goto(`/v/${films.long}`);
  await plays(phone.page);
  await eventually("a picture behind it", async () => (await look(phone.page)).hasPicture);
  const { fit, blur, isBehind, backdrop, video, ratio } = await look(phone.page);
  assert(Math.abs(ratio - 16 / 9) < 0.01);
  assert.equal(fit, "contain");
  assert.match(blur, /blur\(\d\d+px\)/);
  assert(isBehind && backdrop.top <= video.top && backdrop.bottom >= video.bottom && backdrop.left <= video.left && backdrop.right >= video.right);
  await picture(phone.page, "landscape-phone-dark-en");
  await phone.close();

  const { page, close } = await open(browser, DESKTOP);
  await page.goto(`/v/${films.long}`);
  await plays(page);
  await standsInItsOwnForm(page, 16 / 9);
  await picture(page, "landscape-desktop-dark-en");
  await close();
}

/** A window of 640 × 400: the desktop at 200 %. */
export async function aDesktopAt200PercentHasAll(browser, world) {
  const { page, close } = await open(browser, { viewport: { width: 640, height: 400 } });
  for (const place of ["/", `/v/${world.videos[2]}`, `/u/${world.ann.userId}`]) {
    await page.goto(place);
    await page.locator("[data-testid=grid-item], .card.active video").first().waitFor();
    await isAccessible(page, `200 % ${place}`);
    assert.deepEqual(await cutOff(page), [], `200 % ${place}: wider than the window`);
  }
  await page.goto("/");
  await plays(page);
  await active(page).getByTestId("comment-open").click();
  await by(page, "comment-input").waitFor();
  await isAccessible(page, "200 % comments");
  assert.deepEqual(await cutOff(page), [], "200 % comments: wider than the window");
  await picture(page, "zoom-200");
  await close();
}

/**
 * How well each of these words can be read in front of what is behind it: the least contrast of their colour with a pixel that is under them
 * while they aren't drawn.
 */
async function contrasts(page, words) {
  const parts = await page.evaluate((words) => {
    const visible = [...document.querySelectorAll(words)].filter((element) => element.checkVisibility());
    const parts = visible.map((element) => {
      const range = document.createRange();
      range.selectNodeContents(element);
      const { left, top, right, bottom } = range.getBoundingClientRect();
      const inside = element.getBoundingClientRect();
      const box = [Math.max(left, inside.left), Math.max(top, inside.top), Math.min(right, inside.right), Math.min(bottom, inside.bottom)];
      return { text: element.textContent.slice(0, 20), box: box.map(Math.round), colour: getComputedStyle(element).color };
    });
    for (const element of document.querySelectorAll(".about, .about *, .feed-tabs a")) {
      for (const [name, value] of [["transition", "none"], ["color", "transparent"], ["text-shadow", "none"]]) element.style.setProperty(name, value, "important");
    }
    return parts;
  }, words);
  const shot = (await page.screenshot()).toString("base64");
  return page.evaluate(
    async ([parts, shot]) => {
      const bytes = Uint8Array.from(atob(shot), (letter) => letter.charCodeAt(0));
      const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
      const canvas = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
      canvas.drawImage(bitmap, 0, 0);
      const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
      const luminance = (colour) => [0.2126, 0.7152, 0.0722].reduce((sum, weight, at) => sum + weight * linear(colour[at] / 255), 0);
      const contrast = (one, other) => {
        const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
        return (light + 0.05) / (dark + 0.05);
      };
      return parts.map(({ text, box: [left, top, right, bottom], colour }) => {
        const [red, green, blue, alpha = 1] = colour.match(/[\d.]+/g).map(Number);
        const { data } = canvas.getImageData(left, top, right - left, bottom - top);
        let least = Infinity;
        for (let at = 0; at < data.length; at += 4) {
          const ground = data.subarray(at, at + 3);
          const drawn = [red, green, blue].map((value, part) => alpha * value + (1 - alpha) * ground[part]);
          least = Math.min(least, contrast(drawn, ground));
        }
        const middle = canvas.getImageData(bitmap.width / 2, bitmap.height / 5, 1, 1).data;
        return { text, colour, least, isWhite: Math.min(middle[0], middle[1], middle[2]) > 250 };
      });
    },
    [parts, shot],
  );
}

export async function wordsOnAWhiteFilmCanBeRead(browser, films) {
  for (const device of [PHONE, DESKTOP]) {
    const { page, close } = await open(browser, device);
    const size = device === PHONE ? "phone" : "desktop";
    const areRead = async (what) => {
      await plays(page);
      await picture(page, `white-${what}-${size}-dark-en`);
      const found = await contrasts(page, ".card.active .about :is(.author, time, .title, .unfold), .feed-tabs a");
      assert(found.length >= (device === PHONE ? 6 : 4), `${found.length} words`);
      assert(found.every(({ isWhite }) => isWhite), "the film is white");
      const bad = found.filter(({ least }) => least < 4.5).map(({ text, colour, least }) => `${text} (${colour}): ${least.toFixed(2)}`);
      assert.deepEqual(bad, [], `${what}, ${size}`);
    };
    await page.goto("/");
    await plays(page);
    await page.keyboard.press("j");
    await arrives(page, films.white);
    await areRead("shut");
    await page.reload();
    await arrives(page, films.white);
    await active(page).locator(".unfold").click();
    await active(page).locator(".title.open").waitFor();
    await areRead("open");
    await close();
  }
}
