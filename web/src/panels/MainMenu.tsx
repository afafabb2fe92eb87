/** The menu of everything that concerns the whole: the workflow's file, what is done, and how the page looks. */

import type { ReactElement } from "react";
import { useStore } from "zustand";

import { commandNamed, commandsHere, isEnabled, perform } from "../commands";
import type { Command } from "../commands/command";
import { type Language, language, setLanguage, useSay } from "../i18n";
import { preferences, setNotify, setTheme, THEMES } from "../session/preferences";
import { Icon } from "../widgets/icons";
import { Menu, type MenuItem, type MenuSection } from "../widgets/Menu";

/** Each language by its own name. */
const LANGUAGES: readonly (readonly [Language, string])[] = [
  ["en", "English"],
  ["ko", "한국어"],
];

/** What stands in it beside the file's commands, where it means something. */
const MORE = [
  ["undo", "redo"],
  ["commands", "shortcuts", "minimap"],
] as const;

export function MainMenu(): ReactElement {
  const say = useSay();
  const code = useStore(language, (state) => state.code);
  const { theme, notify } = useStore(preferences);
  const item = (command: Command): MenuItem => ({
    id: command.id,
    label: say(command.label),
    chord: command.keys?.[0],
    disabled: !isEnabled(command),
    run: () => perform(command),
  });
  const sections = (): readonly MenuSection[] => [
    {
      id: "file",
      items: commandsHere()
        .filter(({ group }) => group === "file")
        .map(item),
    },
    ...MORE.map((ids) => ids.map(commandNamed).filter((one) => commandsHere().includes(one)))
      .filter((found) => found.length > 0)
      .map((found) => ({ id: found[0]!.id, items: found.map(item) })),
    {
      id: "notify",
      items: [{ id: "notify", label: say("notifyLong"), checked: notify, run: () => void setNotify(!notify) }],
    },
    {
      id: "theme",
      title: say("theme"),
      items: THEMES.map((one) => ({
        id: one,
        label: say(`theme_${one}`),
        checked: one === theme,
        run: () => setTheme(one),
      })),
    },
    {
      id: "language",
      title: say("language"),
      items: LANGUAGES.map(([one, label]) => ({
        id: one,
        label,
        checked: one === code,
        run: () => setLanguage(one),
      })),
    },
  ];
  return (
    <Menu label={say("menu")} className="menu-left" sections={sections}>
      <Icon name="menu" />
    </Menu>
  );
}
