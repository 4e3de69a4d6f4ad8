// Which component shows which sheet.

import type { Sheet } from "../router/routes";
import { Account } from "./account";
import { DeleteVideo, LogOut } from "./ask";
import { CommentsSheet } from "./comments";
import { More } from "./more";
import { Blocks, People, UserSheet } from "./people";
import { EditProfile } from "./profile-edit";
import { PublishSheet } from "./publish";
import { ChangePassword, DeleteAccount, Settings } from "./settings";

export function AnySheet({ sheet, isLeaving }: { sheet: Sheet; isLeaving: boolean }) {
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
