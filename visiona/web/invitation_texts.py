"""What the mail of an invitation says, in the three languages of the product; `{…}` is filled in invitation_mail.py."""

from collections.abc import Mapping

ENGLISH = {
    "subject": "You are invited to {workspace}",
    "title": "Invitation",
    "named": "the workspace “{name}”",
    "unnamed": "a workspace",
    "asked": "{who} invites you to {workspace} on this visiona server.",
    "open": "To join, open this link and sign in as {email}:",
    "whose": "The link works once, until {until}, and for {email} alone.",
    "unknown": "If you do not know who this is, do nothing: without you nothing happens. Nobody reads answers to this mail.",
}

TRADITIONAL = {
    "subject": "邀請您加入{workspace}",
    "title": "邀請",
    "named": "工作區「{name}」",
    "unnamed": "一個工作區",
    "asked": "{who} 邀請您加入此 visiona 伺服器上的{workspace}。",
    "open": "若要加入，請開啟此連結，並以 {email} 登入：",
    "whose": "此連結僅能使用一次，有效至 {until}，且僅限 {email} 使用。",
    "unknown": "若您不認識邀請者，請忽略此信；您不動作就不會發生任何事。此信箱不收回信。",
}

SIMPLIFIED = {
    "subject": "邀请您加入{workspace}",
    "title": "邀请",
    "named": "工作区“{name}”",
    "unnamed": "一个工作区",
    "asked": "{who} 邀请您加入此 visiona 服务器上的{workspace}。",
    "open": "如要加入，请打开此链接，并以 {email} 登录：",
    "whose": "此链接只能使用一次，有效至 {until}，且仅限 {email} 使用。",
    "unknown": "如果您不认识邀请者，请忽略此邮件；您不操作就不会发生任何事。此邮箱不接收回信。",
}

TEXTS: Mapping[str, dict[str, str]] = {"en": ENGLISH, "zh-TW": TRADITIONAL, "zh-CN": SIMPLIFIED}
