import { createContext } from "react";

import type { Owner } from "../session/backdrop";

/** Whose setting a field edits, for fields that look at what is wired into the node; null where it is no node's. */
export const OwnerContext = createContext<Owner | null>(null);
