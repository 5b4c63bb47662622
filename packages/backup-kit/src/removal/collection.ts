import type { Hash } from 'node:crypto'
import type { ObjectSpool, SpooledObject, SpoolRange } from './object-spool.ts'
import type { ObjectSum, PlannedObject, RemovalPhase } from './removal-plan.ts'

/** Phases whose objects are in files. */
export type FiledPhase = Exclude<RemovalPhase, 'sentinels'>

/** What goes of one storage. Memory: where it is, not what it is. */
export interface Collection {
  /** Notes an object. */
  readonly add: (phase: FiledPhase, object: SpooledObject) => void
  /** Notes all objects of a part of a spool: how many they are, and how large. */
  readonly addPart: (phase: FiledPhase, part: GoingPart, sum: ObjectSum) => void
  /** To be waited for now and then, as that of a spool. */
  readonly settle: (phase: FiledPhase) => void | Promise<void>
  /** Adds what goes, in the order in which it was noted, to a hash. */
  hashInto(hash: Hash, phase: FiledPhase): Promise<void>
  objects(phase: FiledPhase): AsyncIterable<PlannedObject>
}

/** A part of a spool that goes as a whole. */
export type GoingPart = SpoolRange & { readonly spool: ObjectSpool }

/** Sums of all storages. */
export type Sums = Record<RemovalPhase, ObjectSum>

/** Notes that objects go. */
export function addToSums(sums: Sums, phase: RemovalPhase, { objects, bytes }: ObjectSum): void {
  sums[phase] = { objects: sums[phase].objects + objects, bytes: sums[phase].bytes + bytes }
}

interface Going {
  /** For what is noted by itself. */
  readonly spool: ObjectSpool
  /** Where that begins that is not among the parts yet. */
  from: number
  readonly parts: GoingPart[]
}

/** Makes one for a storage. */
export function createCollection(storage: string, sums: Sums, create: (phase: FiledPhase) => ObjectSpool): Collection {
  const byPhase = new Map<FiledPhase, Going>()
  const goingOf = (phase: FiledPhase): Going => {
    let going = byPhase.get(phase)
    if (going === undefined) {
      going = { spool: create(phase), from: 0, parts: [] }
      byPhase.set(phase, going)
    }
    return going
  }
  return {
    add(phase, object) {
      addToSums(sums, phase, { objects: 1, bytes: object.size })
      goingOf(phase).spool.add(object)
    },
    addPart(phase, { spool, from, to }, sum) {
      addToSums(sums, phase, sum)
      const parts = partsOf(goingOf(phase))
      const last = parts.at(-1)
      if (last?.spool === spool && last.to === from) parts[parts.length - 1] = { spool, from: last.from, to }
      else parts.push({ spool, from, to })
    },
    settle: (phase) => goingOf(phase).spool.settle(),
    async hashInto(hash, phase) {
      // Lines of objects hold no zero byte, so that none can be taken for a heading.
      hash.update(`\0${phase}\t${storage}\0`)
      for (const { spool, from, to } of partsOf(goingOf(phase))) await spool.hashInto(hash, { from, to })
    },
    async *objects(phase) {
      for (const { spool, from, to } of partsOf(goingOf(phase)))
        for await (const objects of spool.read({ from, to })) for (const object of objects) yield { ...object, storage, phase }
    },
  }
}

/** All parts, with what was noted by itself since the last one. */
function partsOf(going: Going): GoingPart[] {
  const to = going.spool.position()
  if (to > going.from) going.parts.push({ spool: going.spool, from: going.from, to })
  going.from = to
  return going.parts
}
