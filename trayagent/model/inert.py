"""Endings that browsers call dangerous: what we add to our own list of what a double click could run.

The list is Chromium's, `components/safe_browsing/content/resources/download_file_types.asciipb`,
version 49 (commit 018b579b9e42381df5c3172e4902b820fc65dff8), as read on 2026-11-28: every ending
whose danger level on Windows, macOS or Linux is DANGEROUS or ALLOW_ON_USER_GESTURE. It is kept as
it is; where we differ, `KEPT` names each ending and why.
"""

from __future__ import annotations

from typing import Final

CHROMIUM: Final = frozenset(
    # on all systems
    "swf spl crx class jar jnlp pl py pyc pyd pyo pyw rb efi oxt "
    # Windows
    "msi msp mst ade adp mad maf mag mam maq mar mas mat mav maw mda mdb mde mdt mdw mdz accdb accde "
    "accdr accda ocx ops paf pcd pif plg prf prg pst cpi xll partial xrm-ms rels xml xsl xsd ps1 ps1xml "
    "ps2 ps2xml psc1 psc2 url website js jse vb vbe vbs vbscript ws wsc wsf wsh msh msh1 msh2 mshxml "
    "msh1xml msh2xml ad app application appref-ms asp asx bas bat cfg chi chm cmd com cpl crt cer der dll "
    "drv eml exe fon fxp gadget grp hlp hta htt inf ini ins inx isu isp job lnk local manifest mau mht "
    "mhtml mmc mof msc msg reg rgs scf scr sct search-ms settingcontent-ms shb shs slk sys u3p vdx vsx "
    "vtx vsdx vssx vstx vsdm vssm vstm vsd vsmacros vss vst vsw xbap xnk "
    # macOS
    "fileloc webloc cdr dart dc42 diskcopy42 dmg dmgpart dvdr dylib img imgpart ndif service smi "
    "sparsebundle sparseimage toast udif action definition wflow caction as cpgz command applescript scpt "
    "scptd seplugin osas osax mpkg pax workflow xip mobileconfig configprofile internetconnect "
    "networkconnect "
    # Linux, and shells of macOS
    "pkg deb pet pup rpm slp out run bash csh ksh sh shar tcsh desktop apk".split()
)

KEPT: Final[dict[str, frozenset[str]]] = {
    "disk images": frozenset(
        "cdr dart dc42 diskcopy42 dmg dmgpart dvdr img imgpart ndif smi sparsebundle sparseimage toast "
        "udif".split()
    ),
    "documents: letters, and drawings of Visio": frozenset(
        "eml msg vdx vsx vtx vsdx vssx vstx vsdm vssm vstm vsd vss vst".split()
    ),
}
"""Why -> endings that keep their names: opening them is as safe as the programs that do."""

DANGEROUS: Final = CHROMIUM.difference(*KEPT.values())
