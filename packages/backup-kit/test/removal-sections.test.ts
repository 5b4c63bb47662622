import { seededRandom, temporaryFolder } from '@waltz/testkit'
import type { TimelineId } from '@waltz/pg-structures'
import { classifyKey, formatPosition } from '@waltz/repository/removal'
import { describe, expect, it } from 'vitest'
import { createSpoolFolder, type SpooledObject } from '../src/removal/object-spool.ts'
import { createWalRule, type WalRule, type WalScope } from '../src/removal/removal-scope.ts'
import { createWalSections } from '../src/removal/wal-sections.ts'

const MIB = 1_048_576
const ROUNDS = 300

/** Names of an archive as they are listed, with gaps, what lies beside segments, histories, and names that cannot exist. */
function archive(random: ReturnType<typeof seededRandom>): readonly SpooledObject[] {
  const keys: string[] = []
  for (const timeline of [1, 2, 3]) {
    if (timeline > 1) keys.push(`${formatPosition(timeline, 0n).slice(0, 8)}.history.lz4`)
    let at = BigInt(random.integer(40))
    const count = random.integer(900)
    for (let index = 0; index < count; index += 1) {
      const name = formatPosition(timeline, ((at / 16n) << 32n) + (at % 16n))
      keys.push(`${name}.lz4`)
      if (random.integer(20) === 0) keys.push(`${name}.00000028.backup.lz4`)
      if (at % 16n === 0n && random.integer(3) === 0) keys.push(`${name}_delta.lz4`, `${name.slice(0, 23)}.json`)
      if (random.integer(200) === 0) keys.push(`${formatPosition(timeline, ((at / 16n) << 32n) + 100n)}.lz4`)
      at += random.integer(50) === 0 ? BigInt(random.integer(60)) : 1n
    }
  }
  return [...new Set(keys)]
    .toSorted()
    .map((name) => ({ key: `wal_005/${name}`, size: random.integer(100), modifiedMs: random.integer(1000), mark: '' }))
}

function rule(random: ReturnType<typeof seededRandom>, segmentBytes: number | undefined): WalRule {
  const somewhere = (): bigint => (BigInt(random.integer(60)) << 32n) + BigInt(random.integer(18))
  const scopes: WalScope[] = Array.from({ length: random.integer(3) }, () => ({
    before: random.integer(4) === 0 ? 'all' : formatPosition(1 + random.integer(3), somewhere()),
    untilMs: random.integer(2) === 0 ? undefined : random.integer(1200),
  }))
  const branches = ['1', '2', '3'].map((branch) => {
    const needed = Array.from({ length: random.integer(3) }, () => {
      const from = somewhere()
      return random.integer(3) === 0 ? { from, to: undefined } : { from, to: from + BigInt(1 + random.integer(2 ** 20)) * 2n ** 16n }
    })
    return { branch, needed, requirements: [], removable: [], bytesFreed: 0 }
  })
  return createWalRule(scopes, branches, segmentBytes)
}

describe('sections of an archive', () => {
  it(`are judged as each of their objects is, ${ROUNDS} times`, async () => {
    await using folder = temporaryFolder()
    const answers = { all: 0, none: 0, some: 0 }
    for (let seed = 1; seed <= ROUNDS; seed += 1) {
      const random = seededRandom(seed)
      const segmentBytes = seed % 3 === 0 ? undefined : 256 * MIB
      await using spools = createSpoolFolder(folder.path)
      const spool = spools.create('wal')
      const sections = createWalSections(spool, segmentBytes)
      const objects = archive(random)
      for (const object of objects) {
        const known = classifyKey(object.key)
        if (known.kind === 'wal' || known.kind === 'timeline-history') sections.add(known, object)
      }
      const judge = rule(random, segmentBytes)
      const seen: SpooledObject[] = []
      for (const section of sections.sections()) {
        const own: SpooledObject[] = []
        for await (const some of spool.read(section)) own.push(...some)
        seen.push(...own)
        const classes = own.map(({ key }) => classifyKey(key))
        const sum = { objects: own.length, bytes: own.reduce((bytes, { size }) => bytes + size, 0) }
        expect({ objects: section.objects, bytes: section.bytes }, `seed ${seed}`).toEqual(sum)
        expect(classes.every((known) => 'timeline' in known && known.timeline === (section.timeline as TimelineId))).toBe(true)
        expect(classes.every(({ kind }) => (kind === 'timeline-history') === section.isHistory)).toBe(true)
        if (section.isHistory) continue
        const verdicts = classes.map((known, index) => known.kind === 'wal' && judge.goes(known, own[index]?.modifiedMs ?? 0))
        const answer = judge.ofSection(section)
        answers[answer] += 1
        if (answer !== 'some') expect(new Set(verdicts), `seed ${seed}, ${own[0]?.key ?? ''}`).toEqual(new Set([answer === 'all']))
      }
      expect(seen).toEqual(objects)
    }
    // Each answer must have been given, or nothing was tried.
    expect(Math.min(...Object.values(answers))).toBeGreaterThan(50)
  })
})
