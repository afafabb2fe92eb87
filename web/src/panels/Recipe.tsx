/** What a run was made with, and what can be done with it: its values taken, its workflow opened, run again. */

import { type ReactElement, type ReactNode, useEffect, useState } from "react";

import { useStudio, useWorkspace } from "../canvas/hooks";
import { useSay } from "../i18n";
import { readRunWorkflow } from "../api/client";
import { wordsOf } from "../api/socket";
import type { Document, Json, Names } from "../model/document";
import { type Field, fields, parameterTitle } from "../model/parameters";
import type { Piece } from "../model/pieces";
import { runOnceMore, takeRecipe } from "../session/gallery";
import { withValues } from "../session/values";
import { beginWorkflow } from "../session/library";
import { notify } from "../session/notices";

/** The run that is told of, and values that its workflow does not say. */
export type Made = Pick<Piece, "run" | "given" | "title" | "identity">;

interface RecipeProps {
  readonly made: Made;
  /** What else can be done. */
  readonly children?: ReactNode;
  onClose(): void;
}

export function Recipe({ made, children, onClose }: RecipeProps): ReactElement {
  const say = useSay();
  const recipe = useRecipe(made.run, made.given);
  const catalogue = useStudio((state) => state.catalogue);
  const open = useWorkspace((state) => state.name);
  const list = recipe && fields(catalogue, recipe, recipe);
  const close = (act: () => void) => () => {
    act();
    onClose();
  };
  return (
    <>
      {list && <Values list={list} />}
      <div className="piece-actions">
        {recipe && list?.length && open === made.identity ? (
          <button type="button" className="primary" onClick={close(() => takeRecipe(recipe))}>
            {say("useValues")}
          </button>
        ) : null}
        {recipe && (
          <button type="button" onClick={close(() => void beginWorkflow(recipe, made.identity || made.title))}>
            {say("openItsWorkflow")}
          </button>
        )}
        <button type="button" onClick={close(() => void runOnceMore(made.run))}>
          {say("runOnceMore")}
        </button>
        {children}
      </div>
    </>
  );
}

function Values({ list }: { readonly list: readonly Field[] }): ReactElement {
  const say = useSay();
  if (!list.length) return <p className="side-empty">{say("noParametersGiven")}</p>;
  return (
    <dl className="piece-values" tabIndex={0} aria-label={say("parameters")}>
      {list.map((field) => (
        <div key={field.name}>
          <dt>{parameterTitle(field)}</dt>
          <dd>{shown(field.value ?? field.schema.default ?? null)}</dd>
        </div>
      ))}
    </dl>
  );
}

function shown(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Return what a run was made with, once it is read. */
function useRecipe(run: string, given: Names<Json>): Document | null {
  const [read, setRead] = useState<{ readonly of: string; readonly document: Document } | null>(null);
  useEffect(() => {
    let wanted = true;
    readRunWorkflow(run).then(
      (document) => wanted && setRead({ of: run, document }),
      (error: unknown) => wanted && notify("error", "failed", { why: wordsOf(error) }),
    );
    return () => {
      wanted = false;
    };
  }, [run]);
  return read?.of === run ? withValues(read.document, given) : null;
}
