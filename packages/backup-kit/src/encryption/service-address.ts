import { Fault } from '@waltz/errors'

/**
 * The address of a key service as people set it, with `scheme` where it has none; undefined stays undefined.
 * @throws Fault `invalid` `ENCRYPTION_ADDRESS_INVALID` that names the setting, and not the value: it may hold a password.
 */
export function serviceAddress(setting: string, value: string | undefined, scheme: 'https' | 'http' = 'https'): string | undefined {
  if (value === undefined) return undefined
  const address = /^https?:\/\//i.test(value) ? value : `${scheme}://${value}`
  if (URL.canParse(address)) return address
  throw new Fault('invalid', 'ENCRYPTION_ADDRESS_INVALID', `the value of ${setting} is no address`, {
    hint: `write it as ${scheme}://HOST or ${scheme}://HOST:PORT`,
    context: { setting },
  })
}
