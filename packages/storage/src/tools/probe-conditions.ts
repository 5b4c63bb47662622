import type { ProbeCheck, ProbeContext } from './probe.ts'
import { failed, faultKindOf, limited, noise, ok, readText, skipped, textSource } from './probe-support.ts'

const RACES = 10
const RACERS = 4

/** Whether two writers can be kept from overwriting each other. */
export const conditionChecks: readonly ProbeCheck[] = [
  {
    id: 'create-only',
    title: 'an object can be created only where none is',
    run: async (context) => {
      const { store, at, call } = context
      if (!store.capabilities.conditionalPut) return limited('no: two writers could overwrite each other, so nothing else may write here')
      await store.put(at('once'), textSource('first'), { ...call, onlyIfAbsent: true })
      const kind = await faultKindOf(() => store.put(at('once'), textSource('second'), { ...call, onlyIfAbsent: true }))
      if (kind !== 'already-exists') return failed(`the second one was answered with ${kind ?? 'success'}`)
      return (await readText(context, at('once'))) === 'first'
        ? ok('the second one is refused')
        : failed('the second one replaced the first')
    },
  },
  {
    id: 'create-race',
    title: 'of several at once exactly one wins',
    run: async (context) => {
      if (!context.store.capabilities.conditionalPut) return skipped('see above')
      return await race(context, 'raced', (key, racer) =>
        context.store.put(key, textSource(`racer ${racer}`), { ...context.call, onlyIfAbsent: true }),
      )
    },
  },
  {
    id: 'create-race-large',
    title: 'of several large ones, too',
    run: async (context) => {
      const { store, call, largeBytes } = context
      const how = store.capabilities.conditionalMultipart
      if (how === 'none') return limited('objects in parts cannot be created on a condition here')
      const answer = await race(
        context,
        'raced-large',
        (key, racer) => store.put(key, noise(largeBytes, racer + 10), { ...call, onlyIfAbsent: true, size: largeBytes }),
        1,
      )
      return answer.outcome === 'ok' && how === 'claim' ? ok(`${answer.detail}, by a small object that claims the name`) : answer
    },
  },
  {
    id: 'replace-same',
    title: 'an object can be replaced only while it is still the same',
    run: async (context) => {
      const { store, at, call } = context
      if (!store.capabilities.ifMatch) return limited('no')
      const { etag } = await store.put(at('matched'), textSource('one'), call)
      if (etag === undefined) return limited('no: the storage gives no marks')
      await store.put(at('matched'), textSource('two'), { ...call, ifMatch: etag })
      const kind = await faultKindOf(() => store.put(at('matched'), textSource('three'), { ...call, ifMatch: etag }))
      if (kind !== 'conflict') return failed(`a stale mark was answered with ${kind ?? 'success'}`)
      return (await readText(context, at('matched'))) === 'two' ? ok('a stale mark is refused') : failed('a stale mark replaced the object')
    },
  },
]

async function race(
  { store, at, call }: ProbeContext,
  name: string,
  put: (key: string, racer: number) => Promise<unknown>,
  rounds: number = RACES,
): Promise<ReturnType<typeof ok>> {
  for (let round = 0; round < rounds; round += 1) {
    const key = at(`${name}/${round}`)
    const outcomes = await Promise.all(Array.from({ length: RACERS }, (_, racer) => faultKindOf(() => put(key, racer))))
    const winners = outcomes.filter((kind) => kind === undefined).length
    if (winners !== 1) return failed(`${winners} of ${RACERS} were told that they had won`)
    const other = outcomes.find((kind) => kind !== undefined && kind !== 'already-exists')
    if (other !== undefined) return limited(`one winner, but a loser was answered with ${other}`)
    await store.head(key, call)
  }
  return ok(`${rounds} ${rounds === 1 ? 'race' : 'races'} of ${RACERS}`)
}
