// The whole page: the screen of the route, the menu to go elsewhere, and what lies above.

import { useEffect, useRef, useState } from "preact/hooks";

import { lazy, loadAll } from "./lazy";
import { isWide } from "./model/player";
import { logIn } from "./model/login";
import { FeedScreen, FollowingScreen, WatchScreen } from "./screens/feeds";
import { NotFound } from "./screens/not-found";
import { Menu } from "./menu";
import { open, route, sheets, topSheet } from "./router/router";
import type { Route, Sheet } from "./router/routes";
import { UploadPill } from "./sheets/queue";
import { Offline } from "./toasts";

const ProfileScreen = lazy(async () => (await import("./screens/profile")).ProfileScreen);
const MessagesScreen = lazy(async () => (await import("./screens/messages")).MessagesScreen);
const ChatScreen = lazy(async () => (await import("./screens/chat")).ChatScreen);
const CommentsPanel = lazy(async () => (await import("./sheets/comments")).CommentsPanel);
const AnySheet = lazy(async () => (await import("./sheets/all")).AnySheet);

/** When the parts that aren't needed yet are loaded. */
const IDLE_MS = 1500;
/** How long a sheet takes to leave. */
const LEAVING_MS = 220;

export function App() {
  useEffect(() => {
    const timer = setTimeout(loadAll, IDLE_MS);
    return () => clearTimeout(timer);
  }, []);
  useDrop();
  const panel = isWide.value ? sheets.value.findLast((sheet) => sheet.name === "comments") : undefined;
  return (
    <div class={panel ? "shell has-panel" : "shell"}>
      <Menu />
      <main>
        <Screen route={route.value} />
        <UploadPill />
      </main>
      {panel?.name === "comments" && <CommentsPanel id={panel.id} />}
      <Sheets hidden={panel} />
      <Offline />
    </div>
  );
}

function Screen({ route }: { route: Route }) {
  switch (route.name) {
    case "feed":
      return <FeedScreen />;
    case "following":
      return <FollowingScreen />;
    case "video":
      return <WatchScreen id={route.id} />;
    case "profile":
      return <ProfileScreen key={route.id} id={route.id} tab={route.tab} />;
    case "messages":
      return <MessagesScreen />;
    case "chat":
      return <ChatScreen id={route.id} />;
    case "unknown":
      return (
        <div class="screen">
          <NotFound />
        </div>
      );
  }
}

interface Shown {
  sheet: Sheet;
  isLeaving: boolean;
}

/** What is open, and for a moment what was closed, so that it can leave. `hidden` is shown elsewhere. */
function Sheets({ hidden }: { hidden: Sheet | undefined }) {
  const opened = sheets.value.filter((sheet) => sheet !== hidden);
  const before = useRef<Sheet[]>([]);
  const [leaving, setLeaving] = useState<Sheet[]>([]);
  const same = (a: Sheet, b: Sheet) => JSON.stringify(a) === JSON.stringify(b);
  useEffect(() => {
    const gone = before.current.filter((one) => one !== hidden && !opened.some((other) => same(one, other)));
    before.current = opened;
    if (!gone.length) return;
    setLeaving((now) => [...now, ...gone]);
    setTimeout(() => setLeaving((now) => now.filter((one) => !gone.includes(one))), LEAVING_MS);
  });
  const shown: Shown[] = [
    ...opened.map((sheet) => ({ sheet, isLeaving: false })),
    ...[...before.current, ...leaving]
      .filter((one, at, all) => !opened.some((other) => same(one, other)) && all.findIndex((other) => same(one, other)) === at)
      .map((sheet) => ({ sheet, isLeaving: true })),
  ];
  return (
    <>
      {shown.map(({ sheet, isLeaving }) => (
        <AnySheet key={JSON.stringify(sheet)} sheet={sheet} isLeaving={isLeaving} />
      ))}
    </>
  );
}

/** A file that is dropped anywhere is meant to be published; the browser would leave the page for it. */
function useDrop() {
  useEffect(() => {
    async function onDrop(event: DragEvent) {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      const files = [...event.dataTransfer.files];
      if (event.type !== "drop" || !files.length) return;
      const { choose } = await import("./sheets/publish");
      if (topSheet()?.name === "publish") return choose(files);
      // The login first: it clears the form of somebody else who was logged in before. Who closes it finds the file in the form later.
      const isIn = await logIn().then(
        () => true,
        () => false,
      );
      choose(files);
      if (isIn) await open({ name: "publish" });
    }
    addEventListener("dragover", onDrop);
    addEventListener("drop", onDrop);
    return () => {
      removeEventListener("dragover", onDrop);
      removeEventListener("drop", onDrop);
    };
  }, []);
}
