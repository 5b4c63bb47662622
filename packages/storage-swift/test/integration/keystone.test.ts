import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readAll, sourceOf } from '@waltz/bytes'
import type { MaintainedStore } from '@waltz/storage'
import { createKeystoneFake, sharedServer, type KeystoneFake } from '@waltz/testkit'
import { createSwiftStore, type SwiftAuth } from '../../src/index.ts'
import { commonOptions, swiftStore } from '../support/store.ts'

const swift = await sharedServer('swift')

/** The login is a fake written after Keystone's documents; the storage behind it is Debian's Swift. */
describe.skipIf(swift.missing !== undefined)(`logins by a fake of Keystone before ${swift.title}`, () => {
  let keystone: KeystoneFake
  let container: string
  beforeAll(async () => {
    keystone = await createKeystoneFake({ swift: swift.server })
    container = await swift.server.createContainer()
  })
  afterAll(async () => keystone.close())

  const password = (): SwiftAuth => ({
    url: keystone.url,
    user: keystone.people.user,
    password: keystone.people.password,
    project: { name: keystone.people.project },
    region: 'south',
  })
  const storeWith = (auth: SwiftAuth): MaintainedStore => createSwiftStore({ ...commonOptions(), container, auth })
  const roundTrip = async (store: MaintainedStore): Promise<void> => {
    await store.put('object', sourceOf('bytes'))
    expect(new TextDecoder().decode(await readAll(await store.get('object'), 100))).toBe('bytes')
  }

  const ways: readonly (readonly [name: string, auth: () => SwiftAuth])[] = [
    ['version 3, found by asking', password],
    ['version 3, named in the URL', () => ({ ...password(), url: `${keystone.url}/v3` })],
    [
      'version 3, by ids',
      () => ({ ...password(), version: 3, userId: keystone.people.userId, project: { id: `id-of-${keystone.people.project}` } }),
    ],
    ['version 3, by domains', () => ({ ...password(), userDomain: { name: 'Default' }, projectDomain: { id: 'default' } })],
    ['version 2', () => ({ ...password(), url: `${keystone.url}/v2.0/` })],
    [
      'an application credential by its id',
      () => ({ url: keystone.url, region: 'south', applicationCredential: keystone.people.applicationCredential }),
    ],
    [
      'an application credential by its name',
      () => {
        const { name, secret } = keystone.people.applicationCredential
        return { url: keystone.url, region: 'south', user: keystone.people.user, applicationCredential: { name, secret } }
      },
    ],
    ['the internal endpoint', () => ({ ...password(), endpointType: 'internal' })],
  ]
  it.each(ways)('%s', async (_name, auth) => {
    await using store = storeWith(auth())
    await roundTrip(store)
  })

  it('log in once for many requests at the same time, and once more when the token has ended', async () => {
    keystone.giveEndedTokens(1)
    const before = keystone.logins()
    await using store = storeWith(password())
    await Promise.all(Array.from({ length: 20 }, (_, index) => store.put(`many/${index}`, sourceOf('x'))))
    expect(keystone.logins() - before).toBe(2)
  })

  it('a token that stays refused is denied, after one renewal', async () => {
    keystone.giveEndedTokens(5)
    const before = keystone.logins()
    await using store = storeWith(password())
    await expect(store.head('object')).rejects.toMatchObject({ kind: 'denied', code: 'STORAGE_ACCESS_DENIED' })
    expect(keystone.logins() - before).toBe(2)
    keystone.giveEndedTokens(0)
  })

  const wrong: readonly (readonly [name: string, change: Partial<SwiftAuth>, expected: object])[] = [
    ['a wrong password', { password: 'secret-nobody-may-see' }, { kind: 'denied', code: 'STORAGE_ACCESS_DENIED' }],
    ['a wrong project', { project: { name: 'none' } }, { kind: 'denied' }],
    ['a region that does not exist', { region: 'west' }, { kind: 'invalid', message: expect.stringContaining('west') }],
    ['an interface that leads nowhere', { endpointType: 'admin' }, { kind: 'unavailable', code: 'STORAGE_UNREACHABLE' }],
  ]
  it.each(wrong)('%s is said to be what it is, and no secret is shown', async (_name, change, expected) => {
    await using store = storeWith({ ...password(), ...change })
    const fault: unknown = await store.head('object').catch((error: unknown) => error)
    expect(fault).toMatchObject(expected)
    const shown = JSON.stringify(flatten(fault))
    for (const secret of ['secret-nobody-may-see', keystone.people.password, 'AUTH_tk', 'gAAAAA']) expect(shown).not.toContain(secret)
  })
})

describe.skipIf(swift.missing !== undefined)(`mistakes on ${swift.title}`, () => {
  it('a wrong password, and a container that is not there', async () => {
    const container = await swift.server.createContainer()
    await using wrong = swiftStore({ ...swift.server, key: 'secret-nobody-may-see' }, { container })
    const fault: unknown = await wrong.head('x').catch((error: unknown) => error)
    expect(fault).toMatchObject({ kind: 'denied', code: 'STORAGE_ACCESS_DENIED' })
    expect(JSON.stringify(flatten(fault))).not.toContain('secret-nobody-may-see')

    await using lost = swiftStore(swift.server, { container: 'no-such-container' })
    const missing = { kind: 'unavailable', code: 'STORAGE_BUCKET_MISSING' }
    await expect(lost.head('x')).rejects.toMatchObject(missing)
    await expect(lost.get('x')).rejects.toMatchObject(missing)
    await expect(lost.put('x', sourceOf('x'))).rejects.toMatchObject(missing)
    await expect(lost.delete(['x'])).rejects.toMatchObject(missing)
    await expect(lost.list('')[Symbol.asyncIterator]().next()).rejects.toMatchObject(missing)
  })
})

/** Everything that a fault shows, its causes included. */
function flatten(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const own = Object.fromEntries(Object.getOwnPropertyNames(error).map((name) => [name, (error as never)[name] as unknown]))
  return { ...own, cause: flatten(error.cause) }
}
