/** The menu of everything that concerns the whole: the workflow's file, what is done, and how the page looks. */

import type { ReactElement } from "react";
import { useStore } from "zustand";

import { commands, perform } from "../commands";
import type { Command } from "../commands/command";
import { type Language, language, setLanguage, useSay } from "../i18n";
import { preferences, setTheme, THEMES } from "../session/preferences";
import { Icon } from "../widgets/icons";
import { Menu, type MenuItem, type MenuSection } from "../widgets/Menu";

/** Each language by its own name. */
const LANGUAGES: readonly (readonly [Language, string])[] = [
  ["en", "English"],
  ["ko", "한국어"],
];

interface MainMenuProps {
  /** Which commands stand in it, by their groups. */
  readonly groups: readonly Command["group"][];
}

export function MainMenu({ groups }: MainMenuProps): ReactElement {
  const say = useSay();
  const code = useStore(language, (state) => state.code);
  const theme = useStore(preferences, (state) => state.theme);
  const item = (command: Command): MenuItem => ({
    id: command.id,
    label: say(command.label),
    chord: command.keys?.[0],
    disabled: !(command.isEnabled?.() ?? true),
    run: () => perform(command),
  });
  const sections = (): readonly MenuSection[] => [
    ...groups
      .map((group) => ({
        id: group,
        items: commands.filter((one) => one.group === group && one.menu?.includes("main")).map(item),
      }))
      .filter(({ items }) => items.length),
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
