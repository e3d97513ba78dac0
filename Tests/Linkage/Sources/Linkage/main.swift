import CacheKit

print("CacheKit is here")
