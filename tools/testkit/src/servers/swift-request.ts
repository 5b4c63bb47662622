import { randomBytes } from 'node:crypto'

/** An account by Swift's first kind of authentication. */
export interface SwiftAccount {
  readonly authUrl: string
  readonly user: string
  readonly key: string
}

/** What authentication gives. */
export interface SwiftSession {
  readonly storageUrl: string
  readonly token: string
}

/** Gets a token. @throws Error with the answer when it is refused. */
export async function swiftSession({ authUrl, user, key }: SwiftAccount): Promise<SwiftSession> {
  const response = await fetch(authUrl, { headers: { 'x-auth-user': user, 'x-auth-key': key } })
  const text = await response.text()
  const storageUrl = response.headers.get('x-storage-url')
  const token = response.headers.get('x-auth-token')
  if (storageUrl === null || token === null) throw new Error(`authentication of ${user} was answered ${response.status}: ${text}`)
  return { storageUrl, token }
}

/** Makes a container of a random name (or the given one) and returns the name. */
export async function createSwiftContainer(account: SwiftAccount, name?: string): Promise<string> {
  const container = name ?? `container-${randomBytes(6).toString('hex')}`
  const { storageUrl, token } = await swiftSession(account)
  const response = await fetch(`${storageUrl}/${encodeURIComponent(container)}`, { method: 'PUT', headers: { 'x-auth-token': token } })
  const text = await response.text()
  if (!response.ok) throw new Error(`making the container ${container} was answered ${response.status}: ${text}`)
  return container
}
