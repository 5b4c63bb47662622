import { Fault, isFault } from '@waltz/errors'
import { backupFolder, backupOfSentinelKey, backupsFolder, createBackupCatalog } from '@waltz/repository'
import type { CallOptions, ObjectInfo, ObjectStore } from '@waltz/storage'
import type { TransferGroup } from '@waltz/storage/tools'

/** A finished backup of the source. */
interface Member {
  readonly name: string
  readonly sentinel: ObjectInfo
  readonly parent: string | undefined
}

/** What backups are taken from, and how it is told what is not. */
export interface FamilyOptions {
  readonly source: ObjectStore
  readonly call: CallOptions
  readonly warn: (message: string) => void
}

/**
 * The finished backups of a storage, increments together with what they are increments of: a chain is of use only in one piece, and in one
 * storage (RF 10.2). Within a family sentinels come parents first, oldest first; families come by their newest sentinel, so that LATEST is
 * the last. What has no sentinel, no data, or a sentinel that cannot be read is left, and said.
 */
export async function* backupFamilies(options: FamilyOptions): AsyncGenerator<TransferGroup, void, undefined> {
  const members = await readMembers(options)
  for (const family of familiesOf(members)) {
    const data: ObjectInfo[] = []
    const sentinels: ObjectInfo[] = []
    for (const { name, sentinel } of family) {
      const own = await objectsOf(options, name)
      if (own.length === 0) options.warn(`${name} has a sentinel and no data: it is left where it is`)
      else sentinels.push(sentinel)
      data.push(...own)
    }
    if (sentinels.length > 0) yield { name: family.map(({ name }) => name).join(' and '), data, last: sentinels }
  }
}

/** One backup alone. @throws Fault `not-found` `BACKUP_NOT_FOUND`; `conflict` `TRANSFER_SPLITS_CHAIN` when that would tear a chain apart. */
export async function oneBackup(
  options: FamilyOptions & { readonly target: ObjectStore; readonly preserve: boolean },
  wanted: string,
): Promise<TransferGroup> {
  const { source, target, preserve } = options
  const members = await readMembers(options)
  const found = members.find(({ name }) => name === wanted)
  if (found === undefined)
    throw new Fault('not-found', 'BACKUP_NOT_FOUND', `there is no finished backup ${wanted} in ${source.location}`, {
      hint: 'waltz backup-list shows which there are',
    })
  const child = members.find(({ parent }) => parent === wanted)
  if (child !== undefined && !preserve) throw splitFault(wanted, `${child.name} is an increment of it, and would stay behind`)
  if (found.parent !== undefined && !(await isFinishedIn(target, found.parent, options)))
    throw splitFault(wanted, `it is an increment of ${found.parent}, which is not in ${target.location}`)
  return { name: wanted, data: await objectsOf(options, wanted), last: [found.sentinel] }
}

async function isFinishedIn(store: ObjectStore, name: string, { call }: FamilyOptions): Promise<boolean> {
  try {
    await createBackupCatalog(store).find({ name }, call)
    return true
  } catch (error) {
    if (isFault(error, 'not-found')) return false
    throw error
  }
}

async function readMembers({ source, call, warn }: FamilyOptions): Promise<readonly Member[]> {
  const catalog = createBackupCatalog(source)
  const members: Member[] = []
  for await (const sentinel of source.list(backupsFolder, { ...call, oneLevel: true })) {
    const name = backupOfSentinelKey(sentinel.key)
    if (name === undefined) continue
    try {
      members.push({ name, sentinel, parent: (await catalog.readSentinel(name, call)).increment?.parent })
    } catch (error) {
      if (!isFault(error, 'corrupt')) throw error
      warn(`${name} is left where it is: ${error.message}`)
    }
  }
  const names = new Set(members.map(({ name }) => name))
  for await (const group of source.listGroups(backupsFolder, call)) {
    const name = group.slice(backupsFolder.length, -1)
    if (!names.has(name)) warn(`${name} has no sentinel that can be read: it is left where it is`)
  }
  return members.toSorted((one, other) => compareMoments(one.sentinel, other.sentinel))
}

function familiesOf(members: readonly Member[]): readonly (readonly Member[])[] {
  const byName = new Map(members.map((member) => [member.name, member]))
  const chainOf = (member: Member): readonly Member[] => {
    const chain: Member[] = []
    for (let next: Member | undefined = member; next !== undefined && !chain.includes(next);) {
      chain.unshift(next)
      next = next.parent === undefined ? undefined : byName.get(next.parent)
    }
    return chain
  }
  const families = new Map<string, Set<Member>>()
  for (const member of members) {
    const chain = chainOf(member)
    const root = chain[0]?.name ?? member.name
    const family = families.get(root) ?? new Set()
    // A set keeps its order: what was there stays in front.
    for (const one of chain) family.add(one)
    families.set(root, family)
  }
  const newest = (family: readonly Member[]): ObjectInfo =>
    family.reduce((a, b) => (compareMoments(a.sentinel, b.sentinel) > 0 ? a : b)).sentinel
  return [...families.values()].map((family) => [...family]).toSorted((one, other) => compareMoments(newest(one), newest(other)))
}

function compareMoments(one: ObjectInfo, other: ObjectInfo): number {
  const moment = ({ modifiedAt, modifiedAtNs }: ObjectInfo): bigint => modifiedAtNs ?? BigInt(modifiedAt.getTime()) * 1_000_000n
  return Number(moment(one) > moment(other)) - Number(moment(one) < moment(other))
}

async function objectsOf({ source, call }: FamilyOptions, name: string): Promise<readonly ObjectInfo[]> {
  const objects: ObjectInfo[] = []
  for await (const info of source.list(backupFolder(name), call)) objects.push(info)
  return objects
}

function splitFault(backup: string, what: string): Fault {
  return new Fault('conflict', 'TRANSFER_SPLITS_CHAIN', `${backup} cannot be moved alone: ${what}`, {
    hint: 'a chain is of use only in one storage: leave the name out, which moves chains whole, or name a whole chain backup by backup with --preserve',
    context: { backup },
  })
}
