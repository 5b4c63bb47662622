import type { CatalogueEntry, CatalogueFinding } from './catalogue-entry.ts'

/** How the backups of a catalogue depend on each other. Storages are apart: a parent lies where its increment does (RF 10.2). */
export interface BackupChains {
  /** The backup that an increment was made from; undefined for fulls, and where it is not there. */
  parentOf(entry: CatalogueEntry): CatalogueEntry | undefined
  /** Increments made from it, in the order of the catalogue. */
  childrenOf(entry: CatalogueEntry): readonly CatalogueEntry[]
  /** The parent, its parent and so on as far as they are there; each once. */
  ancestorsOf(entry: CatalogueEntry): readonly CatalogueEntry[]
  /** Everything that was made from it, directly or not; parents before children. */
  descendantsOf(entry: CatalogueEntry): readonly CatalogueEntry[]
  /** The full backup that the chain begins with: itself for a full one, undefined when a link is lost. */
  fullOf(entry: CatalogueEntry): CatalogueEntry | undefined
}

/** Links the entries by what their sentinels say; names are never trusted for it. */
export function createBackupChains(entries: readonly CatalogueEntry[]): BackupChains {
  const byIdentity = new Map(entries.map((entry) => [identity(entry.storage, entry.name), entry]))
  const children = new Map<string, CatalogueEntry[]>()
  for (const entry of entries) {
    if (entry.increment === undefined) continue
    const key = identity(entry.storage, entry.increment.parent)
    const list = children.get(key)
    if (list === undefined) children.set(key, [entry])
    else list.push(entry)
  }
  const parentOf = (entry: CatalogueEntry): CatalogueEntry | undefined =>
    entry.increment === undefined ? undefined : byIdentity.get(identity(entry.storage, entry.increment.parent))
  const childrenOf = (entry: CatalogueEntry): readonly CatalogueEntry[] => children.get(identity(entry.storage, entry.name)) ?? []
  const ancestorsOf = (entry: CatalogueEntry): readonly CatalogueEntry[] => {
    const ancestors = new Set<CatalogueEntry>()
    for (let at = parentOf(entry); at !== undefined && at !== entry && !ancestors.has(at); at = parentOf(at)) ancestors.add(at)
    return [...ancestors]
  }
  return {
    parentOf,
    childrenOf,
    ancestorsOf,
    descendantsOf(entry) {
      const found = new Set<CatalogueEntry>()
      const waiting = [...childrenOf(entry)]
      for (let at = waiting.shift(); at !== undefined; at = waiting.shift()) {
        if (found.has(at) || at === entry) continue
        found.add(at)
        waiting.push(...childrenOf(at))
      }
      return [...found]
    },
    fullOf(entry) {
      const root = ancestorsOf(entry).at(-1) ?? entry
      return root.increment === undefined && root.status === 'complete' ? root : undefined
    },
  }
}

function identity(storage: string, name: string): string {
  return `${storage}\0${name}`
}

/** The entries with what is wrong with their chains added to their findings. */
export function findInChains(entries: readonly CatalogueEntry[]): readonly CatalogueEntry[] {
  const chains = createBackupChains(entries)
  return entries.map((entry) => {
    const finding = findInChain(chains, entry)
    return finding === undefined ? entry : { ...entry, findings: [...entry.findings, finding] }
  })
}

function findInChain(chains: BackupChains, entry: CatalogueEntry): CatalogueFinding | undefined {
  if (entry.increment === undefined) return undefined
  const seen = new Set([entry])
  let below = entry
  for (;;) {
    if (below.increment === undefined) return undefined
    const parent = chains.parentOf(below)
    const child = below === entry ? 'it' : `its ancestor ${below.name}`
    if (parent === undefined)
      return { kind: 'lost-parent', message: `${child} was made from ${below.increment.parent}, which is not there` }
    if (seen.has(parent)) return { kind: 'parent-cycle', message: `its ancestors lead back to ${parent.name}` }
    if (parent.status !== 'complete')
      return { kind: 'lost-parent', message: `${child} was made from ${parent.name}, which cannot be used: ${statusText(parent)}` }
    seen.add(parent)
    below = parent
  }
}

function statusText({ status }: CatalogueEntry): string {
  return status === 'sentinel-unreadable' ? 'its sentinel cannot be read' : 'it has no sentinel'
}
