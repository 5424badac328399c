#!/bin/bash
# Sign the app and have Apple notarize it. Needs a Developer ID and a keychain profile of notarytool:
#   packaging/macos/sign.sh "Developer ID Application: NAME (TEAM)" PROFILE
set -euo pipefail
cd "$(dirname "$0")/../../dist"
codesign --force --deep --options runtime --timestamp \
  --entitlements ../packaging/macos/entitlements.plist --sign "$1" trayagent.app
codesign --verify --strict --deep trayagent.app
ditto -c -k --keepParent trayagent.app trayagent.zip
xcrun notarytool submit trayagent.zip --keychain-profile "$2" --wait
xcrun stapler staple trayagent.app
xcrun stapler validate trayagent.app
# Packed again: the ticket is in the app now, and a Mac without a network looks for it there.
ditto -c -k --keepParent trayagent.app trayagent.zip
