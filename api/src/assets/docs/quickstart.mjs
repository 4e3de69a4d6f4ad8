// Node.js 20 or newer: node quickstart.mjs. The film may be any mp4, mov, webm or mkv.
import { readFile } from 'node:fs/promises';

const api = 'http://127.0.0.1:8080/douyin';
const film = await readFile('film.mp4');

async function call(path, options) {
  const reply = await (await fetch(api + path, options)).json();
  if (reply.status_code !== 0) throw new Error(reply.status_msg);
  return reply;
}

// 1. Register. The token stands for you from here on.
const account = new URLSearchParams({ username: `reader-${Date.now()}`, password: 'a-good-password' });
const { token } = await call('/user/register/', { method: 'POST', body: account });
const headers = { Authorization: `Bearer ${token}` };

// 2. Publish.
const form = new FormData();
form.append('title', 'My first film');
form.append('data', new Blob([film]), 'film.mp4');
await call('/publish/action/', { method: 'POST', headers, body: form });

// 3. Read the feed: your film comes first, since it is the newest.
const { video_list: [newest] } = await call('/feed/', { headers });
console.log(newest.title, 'by', newest.author.name);
console.log(newest.play_url);
