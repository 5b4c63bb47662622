import type { KeystoneName, SwiftAuth } from './options.ts'
import { chooseEndpoint, expiryOf, type Endpoint, type Login } from './catalogue.ts'

/** A name of version 3: by id alone, or by name and the domain that it belongs to. */
type Named = Record<string, unknown>

const DEFAULT_DOMAIN: KeystoneName = { id: 'default' }

/** The document for `POST /v3/auth/tokens` (OpenStack Identity API v3, "Password authentication", "Authenticating with an application credential"). */
export function tokenRequestV3(auth: SwiftAuth): unknown {
  const credential = auth.applicationCredential
  if (credential !== undefined) {
    // It brings its own project: a scope beside it is refused.
    const { id, name, secret } = credential
    const who = id === undefined ? { name, user: userOf(auth) } : { id }
    return { auth: { identity: { methods: ['application_credential'], application_credential: { ...who, secret } } } }
  }
  const user = { ...userOf(auth), password: auth.password }
  const scope = scopeOf(auth)
  return { auth: { identity: { methods: ['password'], password: { user } }, ...(scope === undefined ? {} : { scope }) } }
}

/** What the answer grants; `token` is its `X-Subject-Token` header. Undefined for what is not such an answer. */
export function readTokenV3(document: unknown, token: string | undefined, auth: SwiftAuth): Login | undefined {
  const granted = (document as { readonly token?: TokenV3 } | undefined)?.token
  if (granted === undefined || token === undefined) return undefined
  const endpoints = (granted.catalog ?? [])
    .filter((service) => service.type === 'object-store')
    .flatMap((service) => service.endpoints ?? [])
    .map(({ region, region_id: regionId, interface: kind, url }): Endpoint => ({ region: region ?? regionId, kind, url }))
  return { token, storageUrl: chooseEndpoint(endpoints, auth), expiresAtMs: expiryOf(granted.expires_at) }
}

interface TokenV3 {
  readonly expires_at?: unknown
  readonly catalog?: readonly {
    readonly type: string
    readonly endpoints?: readonly {
      readonly region?: string
      readonly region_id?: string
      readonly interface: string
      readonly url: string
    }[]
  }[]
}

function userOf({ user, userId, userDomain }: SwiftAuth): Named {
  return userId === undefined ? { name: user, domain: named(userDomain ?? DEFAULT_DOMAIN) } : { id: userId }
}

function scopeOf({ project, projectDomain, userDomain, trustId }: SwiftAuth): Named | undefined {
  if (trustId !== undefined) return { 'OS-TRUST:trust': { id: trustId } }
  if (project?.id !== undefined) return { project: { id: project.id } }
  if (project?.name === undefined) return undefined // the user's own project, if there is one
  return { project: { name: project.name, domain: named(projectDomain ?? userDomain ?? DEFAULT_DOMAIN) } }
}

function named({ id, name }: KeystoneName): Named {
  return id === undefined ? { name } : { id }
}
