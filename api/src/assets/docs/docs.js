// The page of the contract: reads /openapi.json, shows it, and sends requests to the server that it came from.

import { block, element, inline, markdown } from '/docs/dom.js';
import { JSON_TYPE, kind, remember, trial } from '/docs/request.js';
import { preferred, say, translated, use } from '/docs/words.js';

const PROGRAMS = [['curl', 'quickstart.sh'], ['JavaScript', 'quickstart.mjs'], ['Go', 'quickstart.go']];
/** The address that the programs have as files. */
const WRITTEN_FOR = '127.0.0.1:8080';
const FILM = 'ffmpeg -f lavfi -i testsrc2=size=360x640:rate=24 -t 2 -pix_fmt yuv420p film.mp4';
const AS_PROTOBUF = `curl -sS -H 'Accept: application/x-protobuf' ${location.origin}/douyin/feed/ -o feed.pb`;

/** Whether a route needs a token: `needs`, `takes`, or undefined for none. */
function demand(operation) {
  if (!operation.security) return undefined;
  return operation.security.some((way) => !Object.keys(way).length) ? 'takes' : 'needs';
}

function lock(operation) {
  const what = demand(operation);
  if (!what) return [];
  const about = say(`${what}Token`);
  return [element('span', { class: `lock ${what}`, role: 'img', 'aria-label': about, title: about })];
}

const method = (name) => element('span', { class: `method ${name.toLowerCase()}` }, name);

/** Tabs by the usual keys, one program each. */
function tabs(programs) {
  const list = element('div', { role: 'tablist', 'aria-label': say('start') });
  const panels = [];
  const choose = (index) => {
    [...list.children].forEach((tab, at) => {
      tab.setAttribute('aria-selected', String(at === index));
      tab.tabIndex = at === index ? 0 : -1;
      panels[at].hidden = at !== index;
    });
  };
  programs.forEach(([name, file, text], index) => {
    const tab = element('button', { type: 'button', role: 'tab', id: `tab-${file}`, 'aria-controls': `panel-${file}` }, name);
    tab.addEventListener('click', () => choose(index));
    tab.addEventListener('keydown', (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = (index + step + programs.length) % programs.length;
      choose(next);
      list.children[next].focus();
    });
    list.append(tab);
    panels.push(element('div', { role: 'tabpanel', id: `panel-${file}`, 'aria-labelledby': `tab-${file}` }, block(text)));
  });
  choose(0);
  return [list, ...panels];
}

function start(programs) {
  return element('section', { id: 'start' },
    element('h2', {}, say('start')),
    element('p', {}, say('startAbout')),
    ...tabs(programs),
    element('p', {}, say('noFilm')), block(FILM),
    element('h3', {}, say('protobuf')),
    element('p', {}, ...inline(say('protobufAbout'))), block(AS_PROTOBUF),
    element('p', {}, say('document'), element('a', { href: '/openapi.json' }, 'openapi.json'), ' · ',
      say('messages'), element('a', { href: '/proto/douyin.proto' }, 'douyin.proto')));
}

function shown(path, verb, operation) {
  const examples = operation.responses['200'].content[JSON_TYPE].examples;
  const replies = Object.entries(examples).map(([code, example]) => element('details', {},
    element('summary', {}, `${code}: ${translated(example.summary)}`), block(JSON.stringify(example.value, null, 2))));
  const others = Object.entries(operation.responses).filter(([status]) => status !== '200');
  const statuses = others.map(([status, reply]) => element('li', {}, `${status}: ${translated(reply.description)}`));
  const id = operation.operationId;
  return element('details', { id, class: 'route' },
    element('summary', {}, method(verb), ...lock(operation), element('code', {}, path), ' ',
      element('span', { class: 'about' }, translated(operation.summary))),
    element('p', {}, ...inline(translated(operation.description)), ' ', element('a', { href: `#${id}`, class: 'link' }, say('link'))),
    ...trial(path, verb, operation),
    element('details', {}, element('summary', {}, say('replies')), ...replies, element('ul', {}, ...statuses)));
}

function object(name, schema) {
  const rows = Object.entries(schema.properties || {}).map(([field, of]) => element('tr', {},
    element('th', {}, element('code', {}, field)), element('td', {}, ...kind(of)),
    element('td', {}, ...inline(translated(of.description)))));
  return element('details', { id: `object-${name}` }, element('summary', {}, element('code', {}, name)),
    element('p', {}, ...inline(translated(schema.description))),
    element('div', { class: 'scroll', tabindex: '0' }, element('table', {}, ...rows)));
}

/** The routes of each tag: [tag, [[path, verb, operation]]]. */
function groups(contract) {
  const all = Object.entries(contract.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([verb, operation]) => [path, verb.toUpperCase(), operation]));
  return contract.tags.map((tag) => [tag, all.filter(([, , operation]) => operation.tags[0] === tag.name)]);
}

const link = (id, ...content) => element('li', {}, element('a', { href: `#${id}` }, ...content));

function navigation(contract) {
  const routes = groups(contract).flatMap(([tag, operations]) => [
    element('h2', {}, translated(tag.description ?? tag.name)),
    element('ul', {}, ...operations.map(([path, verb, operation]) =>
      link(operation.operationId, method(verb), element('span', {}, path.replace('/douyin', '')), ...lock(operation)))),
  ]);
  return [
    element('ul', {}, link('start', say('start')), link('rules', say('rules'))),
    ...routes,
    element('ul', {}, link('objects', say('objects'))),
  ];
}

function show(contract, programs) {
  document.title = `${contract.info.title}: ${say('title')}`;
  document.getElementById('title').textContent = `${contract.info.title} ${contract.info.version}`;
  document.getElementById('token').placeholder = say('noToken');
  document.getElementById('routes').replaceChildren(...navigation(contract));
  const operations = groups(contract).map(([tag, routes]) => element('section', {},
    element('h2', {}, translated(tag.description ?? tag.name)),
    ...routes.map(([path, verb, operation]) => shown(path, verb, operation))));
  const schemas = Object.entries(contract.components.schemas).map(([name, schema]) => object(name, schema));
  document.getElementById('content').replaceChildren(
    start(programs),
    element('section', { id: 'rules' }, element('h2', {}, say('rules')), ...markdown(contract.info.description)),
    element('div', { id: 'operations' }, ...operations),
    element('section', { id: 'objects' }, element('h2', {}, say('objects')), ...schemas));
  for (const details of document.querySelectorAll('#operations > section > details')) {
    // Whatever is open can be linked to.
    details.addEventListener('toggle', () => {
      if (!details.open || location.hash === `#${details.id}`) return;
      history.replaceState(null, '', `#${details.id}`);
      mark();
    });
  }
  follow();
}

function mark() {
  for (const one of document.querySelectorAll('#routes a')) {
    if (one.hash === location.hash) one.setAttribute('aria-current', 'true');
    else one.removeAttribute('aria-current');
  }
}

function openMenu(open) {
  document.getElementById('menu').setAttribute('aria-expanded', String(open));
  document.body.classList.toggle('menu-open', open);
}

/** A link to an operation or an object opens it. */
function follow() {
  openMenu(false);
  mark();
  const target = document.getElementById(location.hash.slice(1));
  if (!target) return;
  if (target instanceof HTMLDetailsElement) target.open = true;
  target.scrollIntoView();
}

async function main() {
  const text = async (path) => (await fetch(path)).text();
  const here = async ([name, file]) => [name, file, (await text(`/docs/${file}`)).replaceAll(`//${WRITTEN_FOR}`, `//${location.host}`)];
  const [contract, ...programs] = await Promise.all([text('/openapi.json').then(JSON.parse), ...PROGRAMS.map(here)]);

  const token = document.getElementById('token');
  token.value = sessionStorage.getItem('docs.token') ?? '';
  token.addEventListener('change', () => remember(token.value.trim()));
  document.getElementById('menu').addEventListener('click', () => openMenu(!document.body.classList.contains('menu-open')));
  // A second click on a link opens what was closed meanwhile.
  document.addEventListener('click', (event) => {
    if (event.target.closest?.('a[href^="#"]')?.hash === location.hash) follow();
  });
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') openMenu(false);
  });
  addEventListener('hashchange', follow);

  const language = document.getElementById('language');
  language.value = preferred();
  const speak = async () => {
    await use(language.value, contract);
    show(contract, programs);
  };
  language.addEventListener('change', speak);
  await speak();
  document.body.dataset.ready = 'yes';
}

main();
