// The page of the contract: reads /openapi.json, shows it, and sends requests to the server that it came from.
'use strict';

const JSON_TYPE = 'application/json';
const FORM_TYPE = 'application/x-www-form-urlencoded';
const MULTIPART_TYPE = 'multipart/form-data';

/** An element with attributes and children; text is always text, never markup. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** The few marks that the document uses: `code` and **strong**. */
function inline(text) {
  return text.split(/(`[^`]*`|\*\*[^*]*\*\*)/).map((piece) => {
    if (piece.startsWith('`')) return element('code', {}, piece.slice(1, -1));
    if (piece.startsWith('**')) return element('strong', {}, piece.slice(2, -2));
    return piece;
  });
}

/** Paragraphs, lists and tables. */
function markdown(text) {
  return text.trim().split(/\n{2,}/).map((block) => {
    const lines = block.split('\n');
    if (block.startsWith('- ')) {
      const items = block.split(/\n(?=- )/).map((item) => element('li', {}, ...inline(item.slice(2).replace(/\n\s*/g, ' '))));
      return element('ul', {}, ...items);
    }
    if (block.startsWith('|')) {
      const cells = (line) => line.split('|').slice(1, -1).map((cell) => cell.trim());
      const row = (line, kind) => element('tr', {}, ...cells(line).map((cell) => element(kind, {}, ...inline(cell))));
      return element('table', {}, row(lines[0], 'th'), ...lines.slice(2).map((line) => row(line, 'td')));
    }
    return element('p', {}, ...inline(lines.join(' ')));
  });
}

/** A schema in a few words. */
function kind(schema) {
  if (schema.$ref) return schema.$ref.split('/').pop();
  if (schema.anyOf) return schema.anyOf.map(kind).join(' or ');
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  if (schema.type === 'array') return `[${kind(schema.items)}]`;
  const rules = ['format', 'minimum', 'minLength', 'maxLength', 'maxItems', 'pattern']
    .filter((rule) => schema[rule] !== undefined)
    .map((rule) => (rule === 'format' ? schema.format : `${rule} ${schema[rule]}`));
  return [schema.type, ...rules].join(', ');
}

/** What a form asks: the query's parameters, what only the body has, and headers of ours. */
function fields(operation) {
  const known = (operation.parameters || []).filter((one) => !['Accept-Language', 'X-Request-Id'].includes(one.name));
  const inputs = known.map((one) => ({
    name: one.name, place: one.in, required: Boolean(one['x-required']), about: one.description,
    schema: one.schema, example: one.example,
  }));
  const upload = operation.requestBody.content[MULTIPART_TYPE];
  for (const name of upload ? upload.schema.required : []) {
    const schema = upload.schema.properties[name];
    inputs.push({ name, place: 'file', required: true, about: schema.description, schema });
  }
  return inputs;
}

function row(field) {
  const shown = field.example === undefined ? '' : String(field.example);
  const type = field.place === 'file' ? 'file' : field.schema.format === 'password' ? 'password' : 'text';
  const input = element('input', { name: field.name, type, 'data-place': field.place, placeholder: shown, autocomplete: 'off' });
  return element('tr', {},
    element('th', field.required ? { class: 'required' } : {}, element('code', {}, field.name)),
    element('td', {}, input),
    element('td', {}, element('small', {}, kind(field.schema))),
    element('td', {}, element('small', {}, ...inline(field.about || ''))));
}

/** The request that a filled-in form stands for. */
function request(form, method, path, place) {
  const query = new URLSearchParams();
  const headers = { 'Accept-Language': document.getElementById('language').value };
  const body = {};
  const token = document.getElementById('token').value.trim();
  if (token && form.dataset.token === 'yes') headers.Authorization = `Bearer ${token}`;
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
  const url = String(query) ? `${path}?${query}` : path;
  return { url, options };
}

async function send(form, method, path, output) {
  const { url, options } = request(form, method, path, form.elements.place.value);
  const lines = [`${method} ${url}`];
  output.replaceChildren(element('pre', {}, `${lines[0]} …`));
  try {
    const reply = await fetch(url, options);
    const text = await reply.text();
    lines.push(`${reply.status} · X-Request-Id ${reply.headers.get('x-request-id')}`, '');
    let content;
    try {
      content = JSON.parse(text);
      lines.push(JSON.stringify(content, null, 2));
    } catch {
      lines.push(text);
    }
    if (content && content.status_code === 0 && content.token) document.getElementById('token').value = content.token;
  } catch (error) {
    lines.push(`no reply: ${error.message}`);
  }
  output.replaceChildren(element('pre', {}, lines.join('\n')));
}

/** GET bodies are part of the contract, but no browser sends them. A form first: what is in a URL ends up in logs. */
function places(method, operation) {
  const upload = operation.requestBody.content[MULTIPART_TYPE];
  if (upload) return [[MULTIPART_TYPE, 'multipart']];
  if (method === 'GET') return [['query', 'query string']];
  return [[FORM_TYPE, 'form'], [JSON_TYPE, 'JSON'], ['query', 'query string']];
}

function shown(path, method, operation) {
  const output = element('output', { 'aria-live': 'polite' });
  const form = element('form', { 'data-token': operation.security ? 'yes' : 'no' });
  form.append(element('table', {}, ...fields(operation).map(row)));
  const choice = element('select', { name: 'place' },
    ...places(method, operation).map(([value, label]) => element('option', { value }, label)));
  form.append(element('p', {}, element('label', {}, 'parameters in ', choice), element('button', {}, 'Try it')));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    send(form, method, path, output);
  });
  const examples = operation.responses['200'].content[JSON_TYPE].examples;
  const replies = Object.entries(examples).map(([code, example]) => element('details', {},
    element('summary', {}, `${code}: ${example.summary}`),
    element('pre', {}, JSON.stringify(example.value, null, 2))));
  const others = Object.entries(operation.responses).filter(([status]) => status !== '200');
  const statuses = others.map(([status, reply]) => element('li', {}, `${status}: ${reply.description}`));
  return element('details', { id: operation.operationId },
    element('summary', {}, element('span', { class: 'method' }, method), element('code', {}, path), ' ', element('span', { class: 'about' }, operation.summary)),
    element('p', {}, ...inline(operation.description)),
    form, output,
    element('details', {}, element('summary', {}, 'Replies'), ...replies, element('ul', {}, ...statuses)));
}

function object(name, schema) {
  const rows = Object.entries(schema.properties).map(([field, of]) => element('tr', {},
    element('th', {}, element('code', {}, field)), element('td', {}, kind(of)),
    element('td', {}, ...inline(of.description || ''))));
  return element('details', {}, element('summary', {}, element('code', {}, name)), element('table', {}, ...rows));
}

async function main() {
  const contract = await (await fetch('/openapi.json')).json();
  document.getElementById('title').textContent = `${contract.info.title} ${contract.info.version}`;
  document.getElementById('description').append(...markdown(contract.info.description));
  const operations = document.getElementById('operations');
  for (const tag of contract.tags) {
    operations.append(element('h2', {}, `${tag.name}: ${tag.description}`));
    for (const [path, item] of Object.entries(contract.paths)) {
      for (const [method, operation] of Object.entries(item)) {
        if (operation.tags[0] === tag.name) operations.append(shown(path, method.toUpperCase(), operation));
      }
    }
  }
  const schemas = document.getElementById('schemas');
  schemas.append(element('h2', {}, 'Objects'));
  for (const [name, schema] of Object.entries(contract.components.schemas)) schemas.append(object(name, schema));
  document.body.dataset.ready = 'yes';
}

main();
