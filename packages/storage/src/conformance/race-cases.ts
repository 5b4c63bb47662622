import { conditional, defineCase, type ConformanceCase } from './case.ts'
import { expectBytes, expectFault, expectSame, listKeys, readBytes } from './expect.ts'
import { textSource } from './sources.ts'

/** Rounds at the same time: more of them would only wait for each other. */
const LANES = 8

/** Two writers race to create one name, so many times: exactly one wins each time, and its bytes are stored. */
export function raceCases(rounds: number): readonly ConformanceCase[] {
  return [
    defineCase(
      `two writers racing for one name, ${rounds} times: one winner each time`,
      async ({ store, at, prefix }) => {
        const names = Array.from({ length: rounds }, (_, round) => String(round).padStart(6, '0'))
        const rest = names.values()
        const race = async (name: string): Promise<void> => {
          const bodies = [`first ${name}`, `second ${name}`]
          const puts = bodies.map((body) => store.put(at(name), textSource(body), { onlyIfAbsent: true }))
          const outcomes = await Promise.allSettled(puts)
          const winners = outcomes.flatMap(({ status }, index) => (status === 'fulfilled' ? [index] : []))
          expectSame(winners.length, 1, `${name}: number of winners`)
          const loser = outcomes[1 - (winners[0] ?? 0)] as PromiseRejectedResult
          await expectFault('already-exists', () => Promise.reject(loser.reason as Error), `${name}: the loser`)
          const stored = await readBytes(store, at(name))
          expectBytes(stored, new TextEncoder().encode(bodies[winners[0] ?? 0]), `${name}: the winner's bytes`)
        }
        const lane = async (): Promise<void> => {
          for (const name of rest) await race(name)
        }
        await Promise.all(Array.from({ length: LANES }, lane))
        expectSame(await listKeys(store, prefix), names.map(at), 'names')
      },
      conditional,
    ),
  ]
}
