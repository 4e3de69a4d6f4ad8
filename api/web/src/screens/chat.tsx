// A conversation.

import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

import { api, type Message } from "../api/calls";
import { NO_SUCH_USER } from "../api/errors";
import { chatWith, type Chat } from "../model/chat";
import { isMe, session } from "../model/session";
import { now, putUser, userOf } from "../model/store";
import { complain } from "../model/toasts";
import { Avatar } from "../looks/avatar";
import { Counter } from "../looks/field";
import { Icon } from "../looks/icon";
import { Failed, Note, Spinner } from "../looks/note";
import { Rich } from "../looks/rich";
import { back } from "../router/router";
import { paths } from "../router/routes";
import { ago, characters, locale, t } from "../words";
import { Guest } from "./guest";
import { NotFound } from "./not-found";
import { useTitle } from "./title";

const MAX_MESSAGE = 500;
/** A time stands before what comes this long after what was before. */
const PAUSE_MS = 10 * 60_000;

export function ChatScreen({ id }: { id: number }) {
  if (!session.value) {
    return (
      <div class="screen">
        <Guest icon="messages" title={t("messages")} hint={t("logInMessages")} />
      </div>
    );
  }
  if (isMe(id)) {
    return (
      <div class="screen">
        <NotFound />
      </div>
    );
  }
  return <Conversation key={`${session.value.userId} ${id}`} chat={chatWith(id)} />;
}

function Conversation({ chat }: { chat: Chat }) {
  const user = userOf(chat.userId);
  const log = useRef<HTMLDivElement>(null);
  useTitle(user && t("chatWith", user.name));
  useEffect(() => {
    const asked = now();
    void api.user(chat.userId).then(
      (reply) => putUser(reply.user, asked),
      () => {},
    );
    return chat.watch();
  }, [chat]);

  const messages = chat.messages.value;
  const pending = chat.pending.value;
  const newest = messages.at(-1)?.id;
  useLayoutEffect(() => {
    const element = log.current;
    if (element) element.scrollTop = element.scrollHeight;
  }, [newest, pending.length]);

  const failure = chat.failure.value;
  if (failure?.code === NO_SUCH_USER) {
    return (
      <div class="screen">
        <NotFound title="noSuchUser" hint="noSuchUserHint" />
      </div>
    );
  }

  /** What is above grows, and what one reads stays. */
  async function earlier() {
    const element = log.current;
    const height = element?.scrollHeight ?? 0;
    await chat.earlier().catch(complain);
    requestAnimationFrame(() => element?.scrollBy(0, element.scrollHeight - height));
  }

  return (
    <div class="screen chat">
      <header class="bar-top">
        <button type="button" class="round" aria-label={t("back")} onClick={() => void back(paths.messages)}>
          <Icon name="back" />
        </button>
        <a href={paths.profile(chat.userId)}>
          <Avatar user={user} size="s" />
          <h1>{user?.name}</h1>
        </a>
      </header>
      <div class="log" ref={log} role="log" aria-label={t("messages")} tabIndex={0}>
        {chat.before.value > 0 && (
          <button type="button" class="button small second" onClick={() => void earlier()}>
            {t("earlier")}
          </button>
        )}
        {!chat.isLoaded.value && !failure && <Spinner />}
        {failure && <Failed failure={failure} onRetry={() => chat.soon()} />}
        {chat.isLoaded.value && messages.length + pending.length === 0 && <Note icon="messages" title={t("noMessages")} />}
        {messages.map((message, at) => (
          <Bubble key={message.id} message={message} before={messages[at - 1]} />
        ))}
        {pending.map(({ key, content, failed }) => (
          <div key={key} class="bubble mine pending">
            <p>
              <Rich text={content} />
            </p>
            {failed ? (
              <button type="button" onClick={() => void chat.send(content, key).catch(complain)}>
                {t("notSent")}
              </button>
            ) : (
              <small>{t("sending")}</small>
            )}
          </div>
        ))}
      </div>
      <Write chat={chat} />
    </div>
  );
}

function Bubble({ message, before }: { message: Message; before: Message | undefined }) {
  const isFirst = !before || message.create_time - before.create_time > PAUSE_MS;
  const time = new Date(message.create_time);
  const exact = new Intl.DateTimeFormat(locale(), { dateStyle: "medium", timeStyle: "short" }).format(time);
  return (
    <>
      {isFirst && (
        <time class="pause" dateTime={time.toISOString()} title={exact}>
          {ago(message.create_time)}
        </time>
      )}
      <div class={isMe(message.from_user_id) ? "bubble mine" : "bubble"} data-testid="message" title={exact}>
        <p>
          <Rich text={message.content} />
        </p>
      </div>
    </>
  );
}

function Write({ chat }: { chat: Chat }) {
  const text = chat.text.value;
  const length = characters(text.trim());
  const fits = length > 0 && length <= MAX_MESSAGE;
  return (
    <form
      class="write"
      onSubmit={(event) => {
        event.preventDefault();
        if (!fits) return;
        chat.text.value = "";
        void chat.send(text.trim()).catch(complain);
      }}
    >
      <div class="input">
        <textarea
          data-testid="message-input"
          aria-label={t("writeMessage")}
          placeholder={t("writeMessage")}
          rows={1}
          enterkeyhint="send"
          value={text}
          aria-invalid={length > MAX_MESSAGE}
          onInput={(event) => (chat.text.value = event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
            event.preventDefault();
            event.currentTarget.form?.requestSubmit();
          }}
        />
        <Counter text={text} max={MAX_MESSAGE} />
      </div>
      <button type="submit" class="button" data-testid="message-send" disabled={!fits}>
        {t("send")}
      </button>
    </form>
  );
}
