// All words of the page, in the two languages of the API. The browser's language decides.

export const language: "zh" | "en" = navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";

const english = {
  feed: "Videos",
  home: "Home",
  publish: "Publish",
  profile: "Profile",
  logIn: "Log in",
  logOut: "Log out",
  register: "Register",
  username: "User name",
  password: "Password",
  newHere: "New here? The same two fields make an account.",
  welcome: "Welcome, {0}",
  loggedOut: "Logged out",
  sessionOver: "Your login has ended. Please log in again.",
  close: "Close",
  like: "Like",
  unlike: "Take the like back",
  comments: "Comments",
  comment: "Write a comment",
  send: "Send",
  remove: "Delete",
  noComments: "No comments yet. Say something!",
  more: "More",
  play: "Play",
  pause: "Pause",
  unmute: "Tap for sound",
  emptyFeed: "Nobody has published anything yet.",
  beFirst: "Publish the first video, or run “make seed” for some.",
  again: "Try again",
  works: "Works",
  likes: "Likes",
  noVideos: "Nothing here yet.",
  received: "{0} likes received",
  choose: "Drop a video here, or choose one",
  formats: "MP4, MOV, WebM or MKV",
  title: "Title",
  upload: "Publish",
  retry: "Try again",
  cancel: "Cancel",
  cancelled: "Cancelled",
  progress: "{0} of {1} · {2}/s · {3} left",
  working: "Uploaded. The server looks at it…",
  published: "Published",
  processing: "Being prepared: {0} %",
  failed: "Can’t be played: {0}",
  unreachable: "The server can't be reached.",
  offline: "You are offline.",
  serverFailed: "The server failed: {0}",
  by: "{0}, by {1}",
};

type Words = Record<keyof typeof english, string>;

const chinese: Words = {
  feed: "视频",
  home: "首页",
  publish: "发布",
  profile: "我的主页",
  logIn: "登录",
  logOut: "退出登录",
  register: "注册",
  username: "用户名",
  password: "密码",
  newHere: "第一次来？用同样的两栏即可注册。",
  welcome: "欢迎，{0}",
  loggedOut: "已退出登录",
  sessionOver: "登录已失效，请重新登录。",
  close: "关闭",
  like: "喜欢",
  unlike: "取消喜欢",
  comments: "评论",
  comment: "写一条评论",
  send: "发送",
  remove: "删除",
  noComments: "还没有评论，说点什么吧！",
  more: "更多",
  play: "播放",
  pause: "暂停",
  unmute: "点击打开声音",
  emptyFeed: "还没有人发布视频。",
  beFirst: "发布第一个视频，或运行 “make seed” 生成一些。",
  again: "重试",
  works: "作品",
  likes: "喜欢",
  noVideos: "这里还什么都没有。",
  received: "获赞 {0}",
  choose: "把视频拖到这里，或点击选择",
  formats: "MP4、MOV、WebM 或 MKV",
  title: "标题",
  upload: "发布",
  retry: "重试",
  cancel: "取消",
  cancelled: "已取消",
  progress: "{0} / {1} · {2}/秒 · 剩余 {3}",
  working: "上传完成，服务器正在处理…",
  published: "发布成功",
  processing: "处理中：{0}%",
  failed: "无法播放：{0}",
  unreachable: "无法连接服务器。",
  offline: "你已离线。",
  serverFailed: "服务器出错：{0}",
  by: "{0}，作者 {1}",
};

const words: Words = language === "zh" ? chinese : english;

/** A text, with what belongs into its gaps. */
export function t(name: keyof Words, ...values: string[]): string {
  return words[name].replace(/\{(\d)\}/g, (_, at: string) => values[Number(at)] ?? "");
}

const compact = new Intl.NumberFormat(language, { notation: "compact", maximumFractionDigits: 1 });
export const count = (number: number): string => compact.format(number);

export function bytes(number: number): string {
  const units = ["B", "kB", "MB", "GB"];
  let unit = 0;
  while (number >= 1000 && unit < units.length - 1) {
    number /= 1000;
    unit += 1;
  }
  return `${number.toFixed(unit === 0 ? 0 : 1)} ${units[unit] ?? ""}`;
}

export function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
