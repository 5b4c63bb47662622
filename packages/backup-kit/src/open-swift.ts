import type { Settings } from '@waltz/settings'
import type { MaintainedStore } from '@waltz/storage'
import type { SwiftAuth, SwiftStoreOptions } from '@waltz/storage-swift'
import { connectionOptions, networkOptions, type StorageOpening } from './network-settings.ts'
import type { StorageAddress } from './storage-address.ts'

/**
 * Opens the container that WALG_SWIFT_PREFIX names, by the engine that WALTZ_SWIFT_ENGINE names. Makes no request.
 * @throws Fault `unsupported` `SWIFT_PKGCLOUD_MISSING` when that is pkgcloud and it is not installed.
 */
export async function openSwift(opening: StorageOpening, address: StorageAddress): Promise<MaintainedStore> {
  if (opening.settings.swiftEngine === 'pkgcloud') {
    const { createPkgcloudStore } = await import('@waltz/storage-swift/pkgcloud')
    return createPkgcloudStore(swiftOptions(opening, address))
  }
  const { createSwiftStore } = await import('@waltz/storage-swift')
  return createSwiftStore(swiftOptions(opening, address))
}

/** Every setting of SET 5.5, and the further ones that clients of Swift know, as the store takes them. */
export function swiftOptions(opening: StorageOpening, { host }: StorageAddress): SwiftStoreOptions {
  const { settings, context, name } = opening
  const { swiftSegmentContainer } = settings
  return {
    ...networkOptions('swift', opening),
    container: host,
    auth: authOf(settings),
    ...connectionOptions(settings, settings.osStorageUrl ?? settings.osAuthUrl, ['OS_CACERT', settings.osCacert]),
    partBytes: settings.swiftPartSize,
    concurrency: settings.swiftConcurrency,
    largeObjects: settings.swiftLargeObjects,
    maxWholeBytes: settings.swiftMaxObjectSize,
    ...(swiftSegmentContainer !== undefined && { segmentContainer: swiftSegmentContainer }),
    conditionalPut: settings.swiftConditionalPut,
    onLeftover: ({ key, error }) =>
      context.report({
        type: 'storage-warning',
        storage: name,
        message: `segments of ${key} could not be removed (${error instanceof Error ? error.message : 'unknown reason'}); waltz storage orphans lists them`,
      }),
  }
}

function authOf(settings: Settings): SwiftAuth {
  const secret = settings.osApplicationCredentialSecret
  const domain = named(settings.osDomainName, settings.osDomainId)
  return {
    version: versionOf(settings.osIdentityApiVersion),
    ...present({
      url: settings.osAuthUrl,
      user: settings.osUsername,
      userId: settings.osUserId,
      password: settings.osPassword,
      region: settings.osRegionName,
      trustId: settings.osTrustId,
      storageUrl: settings.osStorageUrl,
      token: settings.osAuthToken,
      project: named(settings.osTenantName, settings.osTenantId),
      userDomain: named(settings.osUserDomainName, settings.osUserDomainId) ?? domain,
      projectDomain: named(settings.osProjectDomainName, settings.osProjectDomainId) ?? domain,
      applicationCredential:
        secret === undefined ? undefined : { ...named(settings.osApplicationCredentialName, settings.osApplicationCredentialId), secret },
      endpointType: endpointTypeOf(settings.osEndpointType),
    }),
  }
}

function versionOf(text: string | undefined): NonNullable<SwiftAuth['version']> {
  const digit = /[123]/.exec(text ?? '')?.[0]
  return digit === undefined ? 'find' : (Number(digit) as 1 | 2 | 3)
}

function endpointTypeOf(text: string | undefined): SwiftAuth['endpointType'] | undefined {
  return text?.replace(/URL$/, '') as SwiftAuth['endpointType'] | undefined
}

function named(name: string | undefined, id: string | undefined): { readonly name?: string; readonly id?: string } | undefined {
  if (name === undefined && id === undefined) return undefined
  return { ...(name !== undefined && { name }), ...(id !== undefined && { id }) }
}

type Present<Values> = { readonly [Key in keyof Values]?: Exclude<Values[Key], undefined> }

/** Without the entries that are undefined. */
function present<Values extends object>(values: Values): Present<Values> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Present<Values>
}
