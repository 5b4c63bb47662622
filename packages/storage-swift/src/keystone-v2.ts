import { chooseEndpoint, expiryOf, type Endpoint, type Login } from './catalogue.ts'
import type { SwiftAuth } from './options.ts'

/** The document for `POST /v2.0/tokens` (OpenStack Identity API v2.0, "Authenticate"). */
export function tokenRequestV2({ user, password, project }: SwiftAuth): unknown {
  const tenant = project?.id === undefined ? (project?.name === undefined ? {} : { tenantName: project.name }) : { tenantId: project.id }
  return { auth: { passwordCredentials: { username: user, password }, ...tenant } }
}

/** What the answer grants. Undefined for what is not such an answer. */
export function readTokenV2(document: unknown, auth: SwiftAuth): Login | undefined {
  const access = (document as { readonly access?: AccessV2 } | undefined)?.access
  const token = access?.token?.id
  if (access === undefined || token === undefined) return undefined
  const endpoints = (access.serviceCatalog ?? [])
    .filter((service) => service.type === 'object-store')
    .flatMap((service) => service.endpoints ?? [])
    .flatMap(({ region, publicURL, internalURL, adminURL }): Endpoint[] =>
      Object.entries({ public: publicURL, internal: internalURL, admin: adminURL }).flatMap(([kind, url]) =>
        url === undefined ? [] : [{ region, kind, url }],
      ),
    )
  return { token, storageUrl: chooseEndpoint(endpoints, auth), expiresAtMs: expiryOf(access.token?.expires) }
}

interface AccessV2 {
  readonly token?: { readonly id?: string; readonly expires?: unknown }
  readonly serviceCatalog?: readonly {
    readonly type: string
    readonly endpoints?: readonly {
      readonly region?: string
      readonly publicURL?: string
      readonly internalURL?: string
      readonly adminURL?: string
    }[]
  }[]
}
