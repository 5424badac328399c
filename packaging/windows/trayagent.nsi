; The installer for one user, without administrator's rights.
;   makensis -WX -DVERSION=0.1.0 -DPAYLOAD=dist/trayagent -DOUT=dist/trayagent-0.1.0-setup.exe packaging/windows/trayagent.nsi

Unicode true
SetCompressor /SOLID lzma
Name "trayagent"
OutFile "${OUT}"
RequestExecutionLevel user
InstallDir "$LOCALAPPDATA\Programs\trayagent"
InstallDirRegKey HKCU "Software\trayagent" "InstallDir"
BrandingText "trayagent ${VERSION}"
ManifestDPIAware true

!include "MUI2.nsh"
!define MUI_ICON "${ROOT}\assets\icons\trayagent.ico"
!define MUI_UNICON "${ROOT}\assets\icons\trayagent.ico"
!define MUI_FINISHPAGE_RUN "$INSTDIR\trayagentw.exe"
!define MUI_FINISHPAGE_RUN_TEXT "Start trayagent"
!insertmacro MUI_PAGE_LICENSE "${ROOT}\LICENSE"
!insertmacro MUI_PAGE_COMPONENTS
!insertmacro MUI_PAGE_INSTFILES
!insertmacro MUI_PAGE_FINISH
!insertmacro MUI_UNPAGE_CONFIRM
!insertmacro MUI_UNPAGE_INSTFILES
!insertmacro MUI_LANGUAGE "English"

VIProductVersion "${VERSION}.0"
VIAddVersionKey "ProductName" "trayagent"
VIAddVersionKey "FileDescription" "trayagent setup"
VIAddVersionKey "FileVersion" "${VERSION}"
VIAddVersionKey "LegalCopyright" "trayagent contributors, MIT"

!define RUN "Software\Microsoft\Windows\CurrentVersion\Run"
!define UNINSTALL "Software\Microsoft\Windows\CurrentVersion\Uninstall\trayagent"
!define AUMID "Software\Classes\AppUserModelId\trayagent"

; An agent that runs keeps its files open: it is asked to end, and `quit` returns when its process is gone.
; 0: it has ended. 3: there was none. "error": the program cannot be started, so it does not run either.
!macro EndAgent
  !define ID ${__COUNTER__}
  ask_${ID}:
  IfFileExists "$INSTDIR\trayagent.exe" 0 ended_${ID}
  nsExec::Exec '"$INSTDIR\trayagent.exe" quit'
  Pop $0
  StrCmp $0 "0" ended_${ID}
  StrCmp $0 "3" ended_${ID}
  StrCmp $0 "error" ended_${ID}
  MessageBox MB_RETRYCANCEL|MB_ICONEXCLAMATION "trayagent is still running. Quit it from its menu, then try again." /SD IDCANCEL IDRETRY ask_${ID}
  Abort "trayagent is still running."
  ended_${ID}:
  !undef ID
!macroend

Section "trayagent" Main
  SectionIn RO
  !insertmacro EndAgent
  RMDir /r "$INSTDIR\_internal"
  SetOutPath "$INSTDIR"
  File /r "${PAYLOAD}\*"
  File "${ROOT}\assets\icons\trayagent.ico"
  WriteUninstaller "$INSTDIR\uninstall.exe"
  ; trayagentw.exe is the same program without a console window.
  CreateShortcut "$SMPROGRAMS\trayagent.lnk" "$INSTDIR\trayagentw.exe" "" "$INSTDIR\trayagent.ico"
  ; Notifications are shown under this name and picture.
  WriteRegStr HKCU "${AUMID}" "DisplayName" "trayagent"
  WriteRegStr HKCU "${AUMID}" "IconUri" "$INSTDIR\_internal\trayagent\assets\icons\trayagent.png"
  WriteRegStr HKCU "Software\trayagent" "InstallDir" "$INSTDIR"
  WriteRegStr HKCU "${UNINSTALL}" "DisplayName" "trayagent"
  WriteRegStr HKCU "${UNINSTALL}" "DisplayVersion" "${VERSION}"
  WriteRegStr HKCU "${UNINSTALL}" "DisplayIcon" "$INSTDIR\trayagent.ico"
  WriteRegStr HKCU "${UNINSTALL}" "Publisher" "trayagent contributors"
  WriteRegStr HKCU "${UNINSTALL}" "UninstallString" '"$INSTDIR\uninstall.exe"'
  WriteRegStr HKCU "${UNINSTALL}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /S'
  WriteRegDWORD HKCU "${UNINSTALL}" "NoModify" 1
  WriteRegDWORD HKCU "${UNINSTALL}" "NoRepair" 1
SectionEnd

Section "Let browsers start trayagent" Browsers
  ; For the extension only; written by the program itself, which knows the keys of all browsers.
  nsExec::Exec '"$INSTDIR\trayagent.exe" extension --register'
  Pop $0
SectionEnd

Section /o "Start with Windows" Autostart
  ; Written by the program itself, so that it finds its own entry again.
  nsExec::Exec '"$INSTDIR\trayagent.exe" autostart on'
  Pop $0
SectionEnd

Section "Uninstall"
  !insertmacro EndAgent
  nsExec::Exec '"$INSTDIR\trayagent.exe" extension --remove'
  Pop $0
  DeleteRegValue HKCU "${RUN}" "trayagent"
  DeleteRegKey HKCU "${UNINSTALL}"
  DeleteRegKey HKCU "${AUMID}"
  DeleteRegKey HKCU "Software\trayagent"
  Delete "$SMPROGRAMS\trayagent.lnk"
  ; Only what the installer brought: downloads, settings and history stay.
  RMDir /r "$INSTDIR\_internal"
  Delete "$INSTDIR\trayagent.exe"
  Delete "$INSTDIR\trayagentw.exe"
  Delete "$INSTDIR\trayagent.ico"
  Delete "$INSTDIR\uninstall.exe"
  RMDir "$INSTDIR"
SectionEnd

LangString SAYS_MAIN ${LANG_ENGLISH} "The program. Downloads and settings are kept when it is removed."
LangString SAYS_BROWSERS ${LANG_ENGLISH} "The browser extension can start trayagent, and pairs with one click."
LangString SAYS_AUTOSTART ${LANG_ENGLISH} "Be there as soon as you sign in."
!insertmacro MUI_FUNCTION_DESCRIPTION_BEGIN
  !insertmacro MUI_DESCRIPTION_TEXT ${Main} $(SAYS_MAIN)
  !insertmacro MUI_DESCRIPTION_TEXT ${Browsers} $(SAYS_BROWSERS)
  !insertmacro MUI_DESCRIPTION_TEXT ${Autostart} $(SAYS_AUTOSTART)
!insertmacro MUI_FUNCTION_DESCRIPTION_END
