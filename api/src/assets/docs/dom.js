// Building the page: elements, the few marks that the document's texts use, and copying.

import { say, translated } from '/docs/words.js';

/** An element with attributes and children; text is always text, never markup. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** `code` and **strong**. */
export function inline(text) {
  return text.split(/(`[^`]*`|\*\*[^*]*\*\*)/).map((piece) => {
    if (piece.startsWith('`')) return element('code', {}, piece.slice(1, -1));
    if (piece.startsWith('**')) return element('strong', {}, piece.slice(2, -2));
    return piece;
  });
}

/** Paragraphs, lists and tables, in the page's language. */
export function markdown(text) {
  return text.trim().split(/\n{2,}/).map((block) => {
    if (block.startsWith('- ')) {
      const items = block.slice(2).split(/\n- /).map((item) => element('li', {}, ...inline(translated(item))));
      return element('ul', {}, ...items);
    }
    if (block.startsWith('|')) {
      const lines = block.split('\n');
      const cells = (line) => line.split('|').slice(1, -1).map((cell) => cell.trim());
      const row = (line, kind) => element('tr', {}, ...cells(line).map((cell) => element(kind, {}, ...inline(cell))));
      const table = element('table', {}, row(lines[0], 'th'), ...lines.slice(2).map((line) => row(line, 'td')));
      return element('div', { class: 'scroll', tabindex: '0' }, table);
    }
    return element('p', {}, ...inline(translated(block)));
  });
}

/** Browsers offer their clipboard only to pages on HTTPS or this machine; a page on a phone needs the old way. */
async function toClipboard(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = element('textarea', { class: 'away' }, text);
  document.body.append(field);
  field.select();
  const done = document.execCommand('copy');
  field.remove();
  if (!done) throw new Error('refused');
}

/** A button that copies a text and says so. */
export function copyButton(text) {
  const button = element('button', { type: 'button', class: 'copy' }, say('copy'));
  button.addEventListener('click', async () => {
    let outcome = 'copied';
    await toClipboard(text()).catch(() => { outcome = 'notCopied'; });
    button.textContent = say(outcome);
    setTimeout(() => { button.textContent = say('copy'); }, 2000);
  });
  return button;
}

/** A text to read and to copy. */
export function block(text) {
  return element('div', { class: 'block' }, element('pre', { tabindex: '0' }, element('code', {}, text)), copyButton(() => text));
}
