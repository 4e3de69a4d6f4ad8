// A route's form: what it asks, the request that it stands for, and what came back.

import { block, copyButton, element, inline } from '/docs/dom.js';
import { say, translated } from '/docs/words.js';

export const JSON_TYPE = 'application/json';
const FORM_TYPE = 'application/x-www-form-urlencoded';
const MULTIPART_TYPE = 'multipart/form-data';

const token = () => document.getElementById('token').value.trim();

/** A schema in a few words; objects of the document are links. */
export function kind(schema) {
  if (schema.$ref) {
    const name = schema.$ref.split('/').pop();
    return [element('a', { href: `#object-${name}` }, name)];
  }
  const several = schema.anyOf ?? schema.oneOf;
  if (several) return several.flatMap((one, index) => (index ? [say('or'), ...kind(one)] : kind(one)));
  if (schema.enum) return [schema.enum.map((value) => JSON.stringify(value)).join(' | ')];
  if (schema.type === 'array') return ['[', ...kind(schema.items), ']'];
  const rules = ['format', 'minimum', 'minLength', 'maxLength', 'maxItems', 'pattern']
    .filter((rule) => schema[rule] !== undefined)
    .map((rule) => (rule === 'format' ? schema.format : `${rule} ${schema[rule]}`));
  return [[schema.type, ...rules].filter(Boolean).join(', ')];
}

/** What a form asks: the query's parameters, what only the body has, and headers of ours. */
function fields(operation) {
  const known = (operation.parameters || []).filter((one) => !['Accept-Language', 'X-Request-Id'].includes(one.name));
  const inputs = known.map((one) => ({
    name: one.name, place: one.in, required: Boolean(one['x-required']), about: one.description,
    schema: one.schema, example: one.example,
  }));
  // What no query has: files.
  const upload = operation.requestBody.content[MULTIPART_TYPE]?.schema ?? {};
  for (const [name, schema] of Object.entries(upload.properties ?? {})) {
    if (!schema.contentMediaType) continue;
    inputs.push({ name, place: 'file', required: (upload.required ?? []).includes(name), about: schema.description, schema });
  }
  return inputs;
}

function row(field) {
  const shown = field.example === undefined ? '' : String(field.example);
  const type = field.place === 'file' ? 'file' : field.schema.format === 'password' ? 'password' : 'text';
  const input = element('input', { name: field.name, type, 'data-place': field.place, placeholder: shown, autocomplete: 'off' });
  const required = field.required ? [element('small', { class: 'required' }, say('required'))] : [];
  return element('div', { class: 'field' },
    element('label', {}, element('span', {}, element('code', {}, field.name), ' ', ...required), input),
    element('small', {}, ...(field.place === 'file' ? [] : [...kind(field.schema), ' · ']), ...inline(translated(field.about))));
}

/** The request that a filled-in form stands for. */
function request(form, method, path) {
  const place = form.elements.place.value;
  const query = new URLSearchParams();
  const headers = { 'Accept-Language': document.getElementById('language').value };
  const body = {};
  if (token() && form.dataset.token === 'yes') headers.Authorization = `Bearer ${token()}`;
  const upload = place === MULTIPART_TYPE ? new FormData() : null;
  for (const input of form.querySelectorAll('input[data-place]')) {
    if (input.type === 'file') {
      if (input.files.length) upload.append(input.name, input.files[0]);
    } else if (input.value === '') {
      continue;
    } else if (input.dataset.place === 'header') {
      headers[input.name] = input.value;
    } else if (upload) {
      upload.append(input.name, input.value);
    } else if (place === 'query') {
      query.append(input.name, input.value);
    } else {
      body[input.name] = input.value;
    }
  }
  const options = { method, headers };
  if (upload) {
    options.body = upload;
  } else if (place !== 'query') {
    headers['Content-Type'] = place;
    options.body = place === JSON_TYPE ? JSON.stringify(body) : String(new URLSearchParams(body));
  }
  return { url: String(query) ? `${path}?${query}` : path, options };
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** The same request for a terminal. */
function curl(form, method, path) {
  const { url, options } = request(form, method, path);
  const words = ['curl', '-sS', '-X', method, quoted(location.origin + url)];
  for (const [name, value] of Object.entries(options.headers)) words.push('-H', quoted(`${name}: ${value}`));
  if (options.body instanceof FormData) {
    for (const [name, value] of options.body) {
      words.push(...(value instanceof File ? ['-F', quoted(`${name}=@${value.name}`)] : ['--form-string', quoted(`${name}=${value}`)]));
    }
  } else if (options.body) {
    words.push('--data-raw', quoted(options.body));
  }
  return words.join(' ');
}

/** A size as people read it. */
const size = (bytes) => (bytes < 1000 ? `${bytes} B` : `${(bytes / 1000).toFixed(1)} kB`);

async function send(form, method, path, output) {
  const { url, options } = request(form, method, path);
  const line = element('p', { class: 'sent' }, element('code', {}, `${method} ${url}`));
  output.replaceChildren(line, element('p', {}, '…'));
  const begun = performance.now();
  let reply;
  let bytes;
  try {
    reply = await fetch(url, options);
    bytes = await reply.arrayBuffer();
  } catch (error) {
    output.replaceChildren(line, element('p', { class: 'outcome bad' }, say('noReply') + error.message));
    return;
  }
  const took = Math.max(1, Math.round(performance.now() - begun));
  let text = new TextDecoder().decode(bytes);
  let good = reply.ok;
  try {
    const content = JSON.parse(text);
    good = content.status_code === 0;
    text = JSON.stringify(content, null, 2);
    if (good && content.token) remember(content.token);
  } catch {
    // Not JSON: shown as it is.
  }
  output.replaceChildren(line,
    element('p', { class: `outcome ${good ? 'good' : 'bad'}` },
      element('strong', {}, String(reply.status)),
      element('span', { class: 'time' }, `${took} ${say('ms')}`),
      element('span', { class: 'size' }, size(bytes.byteLength)),
      element('small', {}, `X-Request-Id ${reply.headers.get('x-request-id')}`)),
    block(text));
}

/** The token stays for this tab, and goes with it. */
export function remember(text) {
  document.getElementById('token').value = text;
  sessionStorage.setItem('docs.token', text);
}

/** GET bodies are part of the contract, but no browser sends them. A form first: what is in a URL ends up in logs. */
function places(method, operation) {
  if (operation.requestBody.content[MULTIPART_TYPE]) return [MULTIPART_TYPE];
  return method === 'GET' ? ['query'] : [FORM_TYPE, JSON_TYPE, 'query'];
}

/** The form of a route, and below it the reply. */
export function trial(path, method, operation) {
  const output = element('output', { 'aria-live': 'polite' });
  const form = element('form', { 'data-token': operation.security ? 'yes' : 'no' }, ...fields(operation).map(row));
  const choice = element('select', { name: 'place' }, ...places(method, operation).map((value) => element('option', { value }, say('place')[value])));
  const asCurl = copyButton(() => curl(form, method, path));
  asCurl.title = say('asCurl');
  form.append(element('div', { class: 'actions' },
    element('button', { class: 'send' }, say('send')),
    element('label', {}, `${say('parametersIn')} `, choice),
    element('span', { class: 'as-curl' }, 'curl ', asCurl)));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    send(form, method, path, output);
  });
  return [form, output];
}
