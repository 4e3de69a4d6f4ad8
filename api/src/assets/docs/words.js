// The page's language: its own words here; those of the document in zh.json, by their English text.

const WORDS = {
  en: {
    skip: 'To the content', menu: 'Routes', token: 'Token', noToken: 'register or log in below, or paste one',
    title: 'the API', start: 'Quick start', rules: 'Rules for every route', objects: 'Objects', document: 'The document: ', messages: 'Messages in protobuf: ',
    startAbout: 'Register, publish a film, read the feed. Each program does all three; its last lines print your film.',
    noFilm: 'No film at hand? ffmpeg makes one:',
    protobuf: 'In protobuf',
    protobufAbout: 'Every route answers in protobuf when `Accept` is `application/x-protobuf`, errors too, and takes bodies of that type; publish and profile take multipart only.',
    needsToken: 'needs a token', takesToken: 'a token is optional',
    parametersIn: 'parameters in', place: { query: 'query string', 'application/x-www-form-urlencoded': 'form', 'application/json': 'JSON', 'multipart/form-data': 'multipart' },
    send: 'Send', asCurl: 'Copy as curl', link: 'Link to this', copy: 'Copy', copied: 'Copied', notCopied: 'Select it and copy by hand',
    replies: 'Replies', reply: 'Reply', noReply: 'no reply: ', name: 'name', value: 'value', type: 'type', about: 'about', required: 'required', ms: 'ms',
    or: ' or ', noFile: 'FILE',
  },
  zh: {
    skip: '跳到正文', menu: '接口', token: '令牌', noToken: '在下面注册或登录，也可以粘贴',
    title: '接口文档', start: '快速开始', rules: '通用规则', objects: '对象', document: '文档：', messages: 'protobuf 消息定义：',
    startAbout: '注册、发布一个视频、读取视频流。下面每个程序都完成这三步，最后打印出你的视频。',
    noFilm: '手边没有视频？用 ffmpeg 生成一个：',
    protobuf: 'protobuf 格式',
    protobufAbout: '请求头 `Accept` 为 `application/x-protobuf` 时，所有接口（包括错误）都以 protobuf 应答，也接受这种格式的请求体；投稿和修改资料只接受 multipart。',
    needsToken: '需要令牌', takesToken: '令牌可选',
    parametersIn: '参数放在', place: { query: '查询字符串', 'application/x-www-form-urlencoded': '表单', 'application/json': 'JSON', 'multipart/form-data': 'multipart' },
    send: '发送', asCurl: '复制为 curl', link: '本节链接', copy: '复制', copied: '已复制', notCopied: '请手动选中并复制',
    replies: '应答', reply: '应答', noReply: '没有应答：', name: '名称', value: '值', type: '类型', about: '说明', required: '必填', ms: '毫秒',
    or: ' 或 ', noFile: '文件',
  },
};

let language = 'en';
let chinese = {};

/** The language chosen last, else the browser's. */
export function preferred() {
  const kept = localStorage.getItem('docs.language');
  if (kept in WORDS) return kept;
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en';
}

/** Speaks another language from now on. The contract's table of codes has its texts in both. */
export async function use(wanted, contract) {
  if (wanted === 'zh' && !Object.keys(chinese).length) {
    chinese = await (await fetch('/docs/zh.json')).json();
    for (const row of contract.info.description.matchAll(/^\| \d+ \| \d+ \| (.*) \| (.*) \|$/gm)) chinese[row[1]] = row[2];
  }
  language = wanted;
  localStorage.setItem('docs.language', wanted);
  document.documentElement.lang = wanted === 'zh' ? 'zh-CN' : 'en';
  for (const label of document.querySelectorAll('[data-words]')) label.textContent = say(label.dataset.words);
}

/** A word of the page. */
export function say(key) {
  return WORDS[language][key];
}

/** A text of the document. */
export function translated(text = '') {
  const plain = text.trim().replace(/\s+/g, ' ');
  return (language === 'zh' && chinese[plain]) || plain;
}
