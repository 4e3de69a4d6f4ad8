// Which component shows which sheet.

import { useEffect, useRef } from "preact/hooks";

import { owner } from "../model/session";
import { close, sheets } from "../router/router";
import type { Sheet } from "../router/routes";
import { Account } from "./account";
import { DeleteVideo, LogOut } from "./ask";
import { CommentsSheet } from "./comments";
import { More } from "./more";
import { Blocks, People, UserSheet } from "./people";
import { EditProfile } from "./profile-edit";
import { PublishSheet } from "./publish";
import { ChangePassword, DeleteAccount, Settings } from "./settings";

/** What they do, they do to the account of who is logged in. */
const OF_AN_ACCOUNT = new Set<Sheet["name"]>(["edit-profile", "password", "blocks", "log-out", "delete-account", "delete-video", "user"]);

/** Opened by one user, it is closed when another has logged in, here or in another tab: what they typed or meant isn't done as the other. */
function useOwner(sheet: Sheet): void {
  const openedBy = useRef(owner.peek());
  const isOthers = OF_AN_ACCOUNT.has(sheet.name) && owner.value !== openedBy.current;
  // The login may lie above it.
  const isTop = sheets.value.at(-1)?.name === sheet.name;
  useEffect(() => {
    if (isOthers && isTop) void close(sheet.name);
  }, [isOthers, isTop]);
}

export function AnySheet({ sheet, isLeaving }: { sheet: Sheet; isLeaving: boolean }) {
  useOwner(sheet);
  switch (sheet.name) {
    case "account":
      return <Account reason={sheet.reason} isLeaving={isLeaving} />;
    case "comments":
      return <CommentsSheet id={sheet.id} isLeaving={isLeaving} />;
    case "more":
      return <More id={sheet.id} isLeaving={isLeaving} />;
    case "delete-video":
      return <DeleteVideo id={sheet.id} isLeaving={isLeaving} />;
    case "publish":
      return <PublishSheet isLeaving={isLeaving} />;
    case "edit-profile":
      return <EditProfile isLeaving={isLeaving} />;
    case "settings":
      return <Settings isLeaving={isLeaving} />;
    case "log-out":
      return <LogOut isLeaving={isLeaving} />;
    case "password":
      return <ChangePassword isLeaving={isLeaving} />;
    case "delete-account":
      return <DeleteAccount isLeaving={isLeaving} />;
    case "blocks":
      return <Blocks isLeaving={isLeaving} />;
    case "user":
      return <UserSheet id={sheet.id} isLeaving={isLeaving} />;
    case "people":
      return <People id={sheet.id} which={sheet.which} isLeaving={isLeaving} />;
  }
}
