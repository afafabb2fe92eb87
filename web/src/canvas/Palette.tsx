/** The search palette: find a node and put it down, wired to the loose end it was asked for. */

import { type ReactElement, useMemo, useState } from "react";

import { useSay } from "../i18n";
import { labelOf, SUBGRAPHS, subgraphSpecs } from "../model/catalogue";
import { subgraphName } from "../model/document";
import { scopeOf } from "../model/editor";
import { byCategory, type Found, search } from "../model/search";
import { holds } from "../model/subgraphs";
import { recentNodes } from "../session/recent";
import { SearchList } from "../widgets/SearchList";
import { chosenNode } from "./chosen";
import { useDocument, useEditor, useStudio } from "./hooks";
import { PaletteAbout } from "./PaletteAbout";
import { looseEnd, putDown } from "./putting";
import { focusCanvas, type PaletteRequest } from "./stage";

interface PaletteProps {
  readonly request: PaletteRequest;
  onClose(): void;
}

const MOST = 60;
/** How much room on the screen it takes at most. */
const SIZE = { width: 640, height: 440 };

export function Palette({ request, onClose }: PaletteProps): ReactElement {
  const say = useSay();
  const catalogue = useStudio((state) => state.catalogue);
  const document = useDocument();
  const scope = useEditor(scopeOf);
  const [text, setText] = useState("");
  const [partner] = useState(() => (request.wire || request.replaces !== null ? null : chosenNode()));
  const sections = useMemo(() => {
    const end = looseEnd(request);
    const specs = [...Object.values(subgraphSpecs(catalogue, document)), ...Object.values(catalogue.nodes)];
    const titleOf = (category: string): string =>
      category === SUBGRAPHS ? say("subgraphsCategory") : (catalogue.categories[category] ?? labelOf(category));
    const found = search(catalogue, specs, text, end);
    if (text.trim() || end) return [{ options: found.slice(0, MOST) }];
    return byCategory(found, recentNodes()).map(({ category, found: options }) => ({
      title: category === null ? say("recentNodes") : titleOf(category),
      options,
    }));
  }, [catalogue, document, text, request, say]);
  // a subgraph cannot hold itself; it is shown all the same, with the reason
  const isRefused = ({ spec: { id } }: Found): boolean => {
    const inner = subgraphName(id);
    return scope !== null && inner !== null && holds(document, inner, scope);
  };
  const close = () => {
    onClose();
    focusCanvas();
  };
  const left = Math.min(request.at.x, window.innerWidth - SIZE.width - 8);
  const top = Math.min(request.at.y, window.innerHeight - SIZE.height - 8);
  return (
    <div
      className="palette"
      role="dialog"
      aria-label={say("addNode")}
      style={{ left: Math.max(8, left), top: Math.max(8, top) }}
    >
      <SearchList<Found>
        label={say("searchNodes")}
        listLabel={say("addNode")}
        text={text}
        sections={sections}
        empty={say("noNodeFits")}
        keyOf={({ spec }) => spec.id}
        isRefused={isRefused}
        show={(one) => (
          <>
            {sections.length === 1 && <em>{catalogue.categories[one.spec.category]}</em>}
            <strong>{one.spec.title}</strong> <small>{one.spec.id}</small>
            <span>{isRefused(one) ? say("wouldHoldItself") : one.spec.description.split("\n")[0]}</span>
          </>
        )}
        about={({ spec }) => <PaletteAbout spec={spec} />}
        onText={setText}
        onTake={({ spec }, { shift }) => {
          putDown(request, spec, shift ? partner : null);
          close();
        }}
        onClose={close}
        onTab={close} // the canvas has the keyboard again, not what follows it
        onLeave={onClose}
      />
      <p className="palette-keys">
        {partner !== null && <>{say("paletteJoins", { name: partner })} </>}
        {say("paletteKeys")}
      </p>
    </div>
  );
}
