import type { ReasonKind, RetentionDecision, RetentionReason } from '@waltz/retention-policy'
import type { CatalogueEntry } from '../catalogue/catalogue-entry.ts'
import type { Choice } from './choose.ts'
import type { RemovalWish } from './removal-request.ts'

/** What reasons are explained with. */
export interface ReasonContext {
  readonly wish: RemovalWish
  readonly choice: Choice
  /** Entries in front of this one in the order of starts, newest first, and itself. */
  readonly isSinceTarget: (entry: CatalogueEntry) => boolean
}

type Explain = (reason: RetentionReason, decision: RetentionDecision, about: ReasonContext & { readonly entry: CatalogueEntry }) => string

/** The planner knows no words of PostgreSQL and is small: what a person reads is said here. Kinds that are missing have texts of their own. */
const TEXTS: Readonly<Partial<Record<ReasonKind, Explain>>> = {
  policy: ({ text }) => `kept by ${text}`,
  'no-policy': () => 'kept by no rule',
  'not-chosen': (_, __, about) => notChosenText(about),
  permanent: (_, __, { entry }) =>
    entry.permanent ? 'marked as permanent' : 'its metadata cannot be read, so that it counts as permanent',
  newest: (_, { restorable }) =>
    restorable ? 'the newest backup that can be restored' : 'the newest backup, although WAL that it needs has not been archived yet',
  'live-branch': () => 'the newest backup that leads to the end of a timeline with newer WAL',
  'being-written': () => 'it is being written',
  unfinished: (_, __, { wish }) =>
    wish.mode === 'policies' ? 'it was never finished: `delete garbage` removes what is left of it' : 'it was never finished',
  unreadable: () => 'what it is cannot be read, so no rule can judge it',
  'unknown-parent': () => 'a backup that it depends on is missing or unfinished, so no rule can judge it',
  'other-series': (_, __, { entry }) => `it is of another cluster (system identifier ${entry.systemIdentifier ?? 'unknown'}), see --series`,
  'from-the-future': ({ kind }, { backup }) => `it begins at ${backup.startedAt?.toISOString() ?? kind}, which has not come yet`,
  undated: () => 'nothing says when it began, so no rule can judge it',
}

function notChosenText({ entry, wish, choice, isSinceTarget }: ReasonContext & { readonly entry: CatalogueEntry }): string {
  if (entry.status === 'being-written') return 'it is being written'
  if (entry.status === 'unfinished') return 'it was never finished, and this command leaves it alone'
  if (wish.mode === 'target') return 'it was not asked for'
  if (wish.mode === 'garbage') return 'a finished backup is no garbage'
  const { target } = choice
  if (target === undefined) return 'no backup is too much'
  if (entry.name === target.name) return 'the oldest backup that was to stay'
  return isSinceTarget(entry) ? `newer than ${target.name}, the oldest that was to stay` : 'left alone, see the notes'
}

/** A reason in words that need no manual. */
export function explainReason(
  reason: RetentionReason,
  decision: RetentionDecision,
  about: ReasonContext & { readonly entry: CatalogueEntry },
): RetentionReason {
  const text = TEXTS[reason.kind]?.(reason, decision, about) ?? reason.text
  return { ...reason, text }
}

/** Tells which of these entries, newest first, do not stand behind the target of a choice. */
export function reasonContext(wish: RemovalWish, choice: Choice, newestFirst: readonly CatalogueEntry[]): ReasonContext {
  const at = newestFirst.findIndex(({ name }) => name === choice.target?.name)
  const since = new Set(newestFirst.slice(0, at + 1))
  return { wish, choice, isSinceTarget: (entry) => since.has(entry) }
}
