// What the page asks the API for.

import type { components } from "./schema";
import { send } from "./client";

export type Video = components["schemas"]["Video"];
export type User = components["schemas"]["User"];
export type Comment = components["schemas"]["Comment"];
export type Friend = components["schemas"]["FriendUser"];
export type Message = components["schemas"]["Message"];

const mine = { needsLogin: true };
const keyed = (key: string) => ({ needsLogin: true, headers: { "Idempotency-Key": key } });
const yes = (does: boolean) => ({ action_type: does ? 1 : 2 });

export const api = {
  feed: (latest?: number) => send("get", "/douyin/feed/", { latest_time: latest }),
  followingFeed: (latest?: number) => send("get", "/douyin/feed/following/", { latest_time: latest }),
  video: (id: number) => send("get", "/douyin/video/", { video_id: id }),
  user: (id: number) => send("get", "/douyin/user/", { user_id: id }),
  works: (id: number, before?: number) => send("get", "/douyin/publish/list/", { user_id: id, before }),
  likes: (id: number, before?: number) => send("get", "/douyin/favorite/list/", { user_id: id, before }),
  follows: (id: number, before?: number) => send("get", "/douyin/relation/follow/list/", { user_id: id, before }),
  followers: (id: number, before?: number) => send("get", "/douyin/relation/follower/list/", { user_id: id, before }),
  friends: (before?: number) => send("get", "/douyin/relation/friend/list/", { before }),
  comments: (id: number, before?: number) => send("get", "/douyin/comment/list/", { video_id: id, before }),
  chat: (id: number, after?: number) => send("get", "/douyin/message/chat/", { to_user_id: id, pre_msg_time: after }),
  chatBefore: (id: number, before: number) => send("get", "/douyin/message/chat/", { to_user_id: id, before }),

  login: (username: string, password: string) => send("post", "/douyin/user/login/", { username, password }),
  register: (username: string, password: string) => send("post", "/douyin/user/register/", { username, password }),

  like: (id: number, does: boolean) => send("post", "/douyin/favorite/action/", { video_id: id, ...yes(does) }, mine),
  follow: (id: number, does: boolean) => send("post", "/douyin/relation/action/", { to_user_id: id, ...yes(does) }, mine),
  comment: (id: number, text: string, key: string) =>
    send("post", "/douyin/comment/action/", { video_id: id, action_type: 1, comment_text: text }, keyed(key)),
  deleteComment: (id: number, commentId: number) =>
    send("post", "/douyin/comment/action/", { video_id: id, action_type: 2, comment_id: commentId }, mine),
  message: (id: number, content: string, key: string) =>
    send("post", "/douyin/message/action/", { to_user_id: id, action_type: 1, content }, keyed(key)),
  deleteVideo: (id: number) => send("post", "/douyin/publish/delete/", { video_id: id }, mine),

  saveProfile: (form: FormData) => send("post", "/douyin/user/profile/", {}, { ...mine, form }),
  changePassword: (password: string, newPassword: string) =>
    send("post", "/douyin/user/password/", { password, new_password: newPassword }, mine),
  endSessions: () => send("post", "/douyin/user/logout/", {}, mine),
  deleteAccount: (password: string) => send("post", "/douyin/user/delete/", { password }, mine),
  block: (id: number, does: boolean) => send("post", "/douyin/user/block/", { to_user_id: id, ...yes(does) }, mine),
  blocks: (before?: number) => send("get", "/douyin/user/block/list/", { before }, mine),
};
