import type { CatalogueEntry } from '@waltz/backup-kit'
import { parseTimestamp } from '@waltz/repository'
import { compileGlob } from '@waltz/storage/tools'
import type { Invocation } from '../../command.ts'
import { usageFault } from '../../usage-fault.ts'
import { allStatuses, kindOf, SHOWN_STATUSES } from './backup-view.ts'

type Filter = (entry: CatalogueEntry) => boolean

/**
 * What the flags ask for, as one test.
 * @throws Fault `invalid` `USAGE` for a value that is none.
 */
export function filterOf(invocation: Invocation): Filter {
  const { flags } = invocation
  const text = (name: string): string | undefined => (typeof flags[name] === 'string' ? flags[name] : undefined)
  const filters: Filter[] = []
  const pattern = text('name')
  if (pattern !== undefined) {
    const matches = compileGlob(pattern)
    filters.push(({ name }) => matches(name))
  }
  const permanent = flags['permanent']
  if (permanent !== undefined) filters.push((entry) => entry.permanent === permanent)
  return allOf([...filters, ...wordFilters(text), ...rangeFilters(text)])
}

function allOf(filters: readonly Filter[]): Filter {
  return (entry) => filters.every((filter) => filter(entry))
}

type FlagText = (name: string) => string | undefined

function wordFilters(text: FlagText): readonly Filter[] {
  const statuses = text('status')
    ?.split(',')
    .map((word) => word.trim())
  const unknown = statuses?.find((word) => !(SHOWN_STATUSES as readonly string[]).includes(word))
  if (unknown !== undefined) throw wrongValue('status', unknown, SHOWN_STATUSES.join(', '))
  const type = text('type')
  if (type !== undefined && type !== 'full' && type !== 'increment') throw wrongValue('type', type, 'full, increment')
  return [
    ...(statuses === undefined ? [] : [(entry: CatalogueEntry) => allStatuses(entry).some((status) => statuses.includes(status))]),
    ...(type === undefined ? [] : [(entry: CatalogueEntry) => kindOf(entry) === type]),
  ]
}

function rangeFilters(text: FlagText): readonly Filter[] {
  const since = momentOf('since', text('since'))
  const until = momentOf('until', text('until'))
  const timeline = text('timeline')
  if (timeline !== undefined && !/^[1-9]\d*$/.test(timeline)) throw wrongValue('timeline', timeline, 'a number such as 3')
  return [
    ...(since === undefined ? [] : [(entry: CatalogueEntry) => timeOf(entry) >= since]),
    ...(until === undefined ? [] : [(entry: CatalogueEntry) => timeOf(entry) < until]),
    ...(timeline === undefined ? [] : [(entry: CatalogueEntry) => entry.timeline === Number(timeline)]),
  ]
}

/** When it began; for backups that do not say, when their sentinel or newest object was stored. */
function timeOf({ startedAt, sentinel, folder }: CatalogueEntry): number {
  return (startedAt ?? sentinel?.modifiedAt ?? folder?.newestAt)?.getTime() ?? 0
}

function momentOf(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const time = parseTimestamp(/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text)
  if (time === undefined) throw wrongValue(flag, text, 'a date such as 2026-03-01, or a time such as 2026-03-01T02:10:44Z')
  return Number(time.ns / 1_000_000n)
}

function wrongValue(flag: string, value: string, allowed: string): Error {
  return usageFault(`--${flag} does not take ${JSON.stringify(value)}`, { command: 'backup-list', hint: `It takes: ${allowed}.` })
}

const ORDERS: Readonly<Record<string, (entry: CatalogueEntry) => bigint | number | string>> = {
  start: (entry) => entry.startedAtNs ?? BigInt(timeOf(entry)) * 1_000_000n,
  name: ({ name }) => name,
  stored: (entry) => entry.folder?.bytes ?? entry.storedBytes ?? 0,
  restored: (entry) => entry.restoredBytes ?? 0,
}

/**
 * In the order that `--sort` names; by sentinel time, as the catalogue is, without it.
 * @throws Fault `invalid` `USAGE` for an unknown word.
 */
export function sorted<Item>(items: readonly Item[], entryOf: (item: Item) => CatalogueEntry, { flags }: Invocation): readonly Item[] {
  const word = typeof flags['sort'] === 'string' ? flags['sort'] : 'time'
  const keyOf = Object.hasOwn(ORDERS, word) ? ORDERS[word] : undefined
  if (keyOf === undefined && word !== 'time') throw wrongValue('sort', word, ['time', ...Object.keys(ORDERS)].join(', '))
  const keys = new Map(items.map((item) => [item, keyOf?.(entryOf(item)) ?? 0]))
  const inOrder = items.toSorted((left, right) => {
    const [a, b] = [keys.get(left) ?? 0, keys.get(right) ?? 0]
    return Number(a > b) - Number(a < b)
  })
  return flags['reverse'] === true ? inOrder.toReversed() : inOrder
}
