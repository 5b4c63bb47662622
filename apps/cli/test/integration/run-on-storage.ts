import type { StorageEnvironment } from '@waltz/testkit'
import { createFakeIo } from '../fake-io.ts'
import { runIn, type Ended } from '../run-in-folder.ts'

/** Runs the command with the settings of a storage. */
export async function runOn(environment: StorageEnvironment, argv: readonly string[]): Promise<Ended> {
  using io = createFakeIo({ now: () => new Date() })
  Object.assign(io.env, environment)
  return await runIn(io, argv)
}

/** All that a storage lists, in order. @throws Error when it cannot be listed. */
export async function keysOn(environment: StorageEnvironment): Promise<readonly string[]> {
  const { code, out, err } = await runOn(environment, ['st', 'ls', '-r', '--json'])
  if (code !== 0) throw new Error(err)
  return (JSON.parse(out) as readonly { readonly name: string }[]).map(({ name }) => name).toSorted()
}
