/** One way into the object storage, as both versions of a catalogue tell it. */
export interface KeystoneEndpoint {
  readonly region: string
  readonly interface: 'public' | 'internal' | 'admin'
  readonly url: string
}

/** What a token is granted for. */
export interface KeystoneGrant {
  readonly user: string
  readonly project: string
  readonly token: string
  readonly issuedAt: Date
  readonly expiresAt: Date
  readonly endpoints: readonly KeystoneEndpoint[]
  readonly methods: readonly string[]
}

/** The answer of `POST /v3/auth/tokens`, as the Identity API v3 describes it. */
export function tokenDocumentV3({ user, project, issuedAt, expiresAt, endpoints, methods }: KeystoneGrant): unknown {
  const domain = { id: 'default', name: 'Default' }
  const service = { type: 'object-store', id: 'a'.repeat(32), name: 'swift' }
  const listed = endpoints.map((endpoint, index) => ({
    ...endpoint,
    region_id: endpoint.region,
    id: String(index).padStart(32, '0'),
  }))
  return {
    token: {
      methods,
      user: { domain, id: `id-of-${user}`, name: user, password_expires_at: null },
      audit_ids: ['3T2dc1CGQxyJsHdDu1xkcw'],
      expires_at: microseconds(expiresAt),
      issued_at: microseconds(issuedAt),
      project: { domain, id: `id-of-${project}`, name: project },
      is_domain: false,
      roles: [{ id: '5'.repeat(32), name: 'member' }],
      // Another service first: the right one must be looked for.
      catalog: [
        { type: 'identity', id: 'b'.repeat(32), name: 'keystone', endpoints: [{ ...listed[0], url: 'http://identity.invalid/v3' }] },
        { ...service, endpoints: listed },
      ],
    },
  }
}

/** The answer of `POST /v2.0/tokens`, as the Identity API v2.0 described it. */
export function tokenDocumentV2({ user, project, token, issuedAt, expiresAt, endpoints }: KeystoneGrant): unknown {
  const regions = [...new Set(endpoints.map(({ region }) => region))]
  const urlOf = (region: string, kind: string): string | undefined =>
    endpoints.find((endpoint) => endpoint.region === region && endpoint.interface === kind)?.url
  return {
    access: {
      token: {
        issued_at: microseconds(issuedAt).slice(0, -1),
        expires: `${expiresAt.toISOString().slice(0, 19)}Z`,
        id: token,
        tenant: { description: null, enabled: true, id: `id-of-${project}`, name: project },
      },
      serviceCatalog: [
        {
          endpoints: [{ region: regions[0], publicURL: 'http://identity.invalid/v2.0' }],
          endpoints_links: [],
          type: 'identity',
          name: 'keystone',
        },
        {
          endpoints: regions.map((region, index) => ({
            region,
            id: String(index).padStart(32, '0'),
            publicURL: urlOf(region, 'public'),
            internalURL: urlOf(region, 'internal'),
            adminURL: urlOf(region, 'admin'),
          })),
          endpoints_links: [],
          type: 'object-store',
          name: 'swift',
        },
      ],
      user: { username: user, roles_links: [], id: `id-of-${user}`, roles: [{ name: 'member' }], name: user },
      metadata: { is_admin: 0, roles: ['5'.repeat(32)] },
    },
  }
}

/** The list of versions, which comes with status 300. */
export function versionsDocument(origin: string, versions: readonly ('v2.0' | 'v3')[]): unknown {
  return {
    versions: {
      values: versions.map((version) => ({
        id: version === 'v3' ? 'v3.14' : 'v2.0',
        status: version === 'v3' ? 'stable' : 'deprecated',
        updated: '2020-04-07T00:00:00Z',
        links: [{ rel: 'self', href: `${origin}/${version}/` }],
        'media-types': [{ base: 'application/json', type: `application/vnd.openstack.identity-${version}+json` }],
      })),
    },
  }
}

/** What Keystone says to wrong credentials: never what was wrong. */
export const unauthorizedDocument: unknown = {
  error: { code: 401, message: 'The request you have made requires authentication.', title: 'Unauthorized' },
}

function microseconds(at: Date): string {
  return `${at.toISOString().slice(0, -1)}000Z`
}
